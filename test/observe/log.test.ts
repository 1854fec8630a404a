import { describe, expect, it } from 'vitest';
import { createLog, type LogFormat, type LogLevel } from '../../src/observe/log.ts';
import { toLogfmt } from '../../src/observe/logfmt.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function make(format: LogFormat = 'json', level: LogLevel = 'debug') {
  const written: string[] = [];
  const destination = { write: (text: string) => written.push(text), writableLength: 0 };
  const log = createLog({ level, format, destination, clock: createFakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 6)) });
  return {
    log,
    written,
    destination,
    parsed: () => written.map((text) => JSON.parse(text) as Record<string, unknown>),
  };
}

describe('a line', () => {
  it('has time, level and message beside its fields, and neither pid nor host name', () => {
    const { log, parsed } = make();
    log.warn({ reason: 'bad_http', status: 400 }, 'request refused');
    expect(parsed()).toEqual([
      { level: 'warn', time: '2026-01-02T03:04:05.006Z', reason: 'bad_http', status: 400, msg: 'request refused' },
    ]);
  });

  it('below the level is not written', () => {
    const { log, written } = make('json', 'warn');
    log.debug({}, 'a');
    log.info({}, 'b');
    expect(written).toEqual([]);
    log.error({}, 'c');
    expect(written).toHaveLength(1);
  });

  it('keeps its own time, level and message when a field has their name', () => {
    const { log, written, parsed } = make();
    log.info({ level: 'error', msg: 'x', time: 1 }, 'real');
    expect(parsed()[0]).toMatchObject({ level: 'info', msg: 'real', level_: 'error', msg_: 'x', time_: 1 });
    expect(written[0]?.match(/"level":/g)).toHaveLength(1);
  });

  it('describes an error by name, message, code and stack, wherever it stands', () => {
    const { log, parsed } = make();
    const cause = Object.assign(new TypeError('boom'), { code: 'EBOOM', secretish: 1 });
    log.error({ err: cause, cause }, 'failed');
    const [line] = parsed();
    for (const name of ['err', 'cause']) {
      expect(line?.[name]).toEqual({
        name: 'TypeError',
        message: 'boom',
        code: 'EBOOM',
        stack: expect.any(String) as string,
      });
    }
  });

  it('does not unfold what is no plain data', () => {
    const { log, parsed } = make();
    log.info(
      {
        socket: new (class Socket {
          headers = 'x';
        })(),
        when: new Date(0),
        list: [{ a: 1 }],
      },
      'x',
    );
    expect(parsed()[0]).toMatchObject({ socket: '[Socket]', when: '1970-01-01T00:00:00.000Z', list: [{ a: 1 }] });
  });

  it('does not change the fields that it was given', () => {
    const { log } = make();
    const fields = { level: 'x', nested: { password: 'p' } };
    log.info(fields, 'x');
    expect(fields).toEqual({ level: 'x', nested: { password: 'p' } });
  });
});

describe('logfmt', () => {
  it('begins with time, level and message, and quotes only what needs it', () => {
    const { log, written } = make('logfmt');
    log.info({ status: 401, user: 'a b', empty: '', none: null, path: '/api/v1/query' }, 'request refused');
    expect(written).toEqual([
      'time=2026-01-02T03:04:05.006Z level=info msg="request refused" status=401 user="a b" empty="" none=null path=/api/v1/query\n',
    ]);
  });

  it('writes a list of texts as one text', () => {
    const { log, written } = make('logfmt');
    log.error({ failed: ['config', 'users'], one: ['config'], none: [], nasty: ['a" b=c', 'd'] }, 'm');
    expect(written[0]).toContain(' msg=m failed="config, users" one=config none="" nasty="a\\" b=c, d"\n');
  });

  it('flattens maps and keeps other lists as JSON', () => {
    expect(toLogfmt('{"time":"t","level":"info","msg":"m","err":{"code":"E","in":{"x":1}},"list":[1,"b c"]}')).toBe(
      'time=t level=info msg=m err.code=E err.in.x=1 list="[1,\\"b c\\"]"',
    );
  });

  it('lets no key break out of its place', () => {
    expect(toLogfmt('{"a b=\\"c":1,"":2}')).toContain(' a_b__c=1 _=2');
  });

  it('makes a message of what is no JSON', () => {
    expect(toLogfmt('half {')).toBe('msg="half {"');
  });
});

describe('a reader that stands still', () => {
  it('costs lines, not memory, and the next line says how many', () => {
    const { log, written, destination, parsed } = make();
    destination.writableLength = 9 * 1024 * 1024;
    log.info({}, 'lost');
    log.info({}, 'lost too');
    expect(written).toEqual([]);
    destination.writableLength = 0;
    log.info({}, 'back');
    expect(parsed().map(({ msg, dropped }) => [msg, dropped])).toEqual([
      ['log lines dropped: their reader does not keep up', 2],
      ['back', undefined],
    ]);
  });
});

describe('a log that cannot be written', () => {
  /** A destination that fails with `code` while there is one. */
  function makeFailing() {
    const state: { code: string | null; written: string[]; lost: string[] } = { code: null, written: [], lost: [] };
    const log = createLog({
      level: 'debug',
      format: 'json',
      clock: createFakeClock(Date.UTC(2026, 0, 2)),
      onLost: (reason) => state.lost.push(reason),
      destination: {
        write(text, done) {
          if (state.code === null) state.written.push(text);
          done(state.code === null ? null : Object.assign(new Error('no'), { code: state.code }));
        },
      },
    });
    return { log, state };
  }
  const notice = 'log lines lost: they could not be written';

  it('counts each line that is lost, and tells the number once it is whole again', () => {
    const { log, state } = makeFailing();
    state.code = 'EPIPE';
    for (const name of ['a', 'b', 'c']) log.info({}, name);
    expect(state.lost).toEqual(['write_failed', 'write_failed', 'write_failed']);
    state.code = null;
    log.info({}, 'd');
    log.info({}, 'e');
    const lines = state.written.map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(lines).toEqual([
      {
        level: 'warn',
        time: '2026-01-02T00:00:00.000Z',
        lost: 3,
        since: '2026-01-02T00:00:00.000Z',
        code: 'EPIPE',
        msg: notice,
      },
      expect.objectContaining({ msg: 'd' }),
      expect.objectContaining({ msg: 'e' }),
    ]);
  });

  it('begins a new line after a full disk, which cuts the last one', () => {
    const { log, state } = makeFailing();
    state.code = 'ENOSPC';
    log.info({}, 'a');
    state.code = null;
    log.info({}, 'b');
    expect(state.written[0]).toMatch(/^\n\{/);
    expect(state.written).toHaveLength(2);
  });
});
