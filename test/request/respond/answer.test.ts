/** The Answer on real sockets, through the harness of forward with a self upstream that does what each test says. */
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import type { Answer } from '../../../src/request/answer.ts';
import type { Passage } from '../../../src/request/passage.ts';
import { upstreamOf } from '../../support/config-fixture.ts';
import { curl } from '../../support/curl.ts';
import { poll } from '../../support/poll.ts';
import { startGate } from '../forward/gate-fixture.ts';
import type { TestGate } from '../forward/gate-fixture.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function gateThat(
  answers: (answer: Answer, passage: Passage) => void,
  config: Partial<Config> = {},
  change: (passage: Passage) => void = () => undefined,
): Promise<TestGate> {
  let current: Passage | null = null;
  const gate = await startGate({
    upstream: upstreamOf({ name: 'self', address: { kind: 'self' }, kind: 'any' }),
    config,
    before: (passage) => {
      current = passage;
      change(passage);
      return true;
    },
    self: (_question, answer) => answers(answer, current as unknown as Passage),
  });
  closing.push(() => gate.close());
  return gate;
}

const ok = (answer: Answer): void => {
  answer.open(200, { 'content-type': 'text/plain' });
  answer.write(Buffer.from('ok'));
  answer.end();
};

const PROTOCOLS: [string, string[], (gate: TestGate) => string][] = [
  ['HTTP/1.1', [], (gate) => gate.url],
  ['HTTP/2', ['--http2-prior-knowledge'], (gate) => gate.http2Url],
];

describe.each(PROTOCOLS)('an answer over %s', (_name, flags, urlOf) => {
  it('is counted once, and releases in reverse order even when one fails', async () => {
    const order: string[] = [];
    const gate = await gateThat((answer, passage) => {
      passage.releases.push(
        () => order.push('first'),
        () => {
          throw new Error('a broken release');
        },
        () => order.push('third'),
      );
      answer.onClose(() => order.push('close'));
      ok(answer);
      answer.end();
      answer.refuse('internal_error');
      answer.cut('internal_error');
    });
    expect((await curl(...flags, urlOf(gate))).body).toBe('ok');
    await poll('the accounting', () => gate.metrics.records.length === 1);
    expect(order).toEqual(['close', 'third', 'first']);
    expect(gate.metrics).toMatchObject({ flying: 0, refusals: [] });
    expect(gate.metrics.records[0]).toMatchObject({
      upstream: 'self',
      identity: 'anonymous',
      status: 200,
      bytesOut: 2,
    });
    expect(gate.log.lines.map(({ message }) => message)).toEqual(['a release failed']);
  });

  it('is refused once: what comes after the first reason changes nothing', async () => {
    const gate = await gateThat((answer) => {
      answer.refuse('path_unknown', { detail: 'first' });
      answer.refuse('internal_error');
      answer.open(200, {});
      answer.write(Buffer.from('x'));
    });
    const got = await curl(...flags, urlOf(gate));
    expect(got).toMatchObject({ exit: 0, status: 404, body: 'not found (request r1)\n' });
    await poll('the accounting', () => gate.metrics.records.length === 1);
    expect(gate.metrics.refusals).toEqual(['path_unknown']);
    expect(gate.log.lines).toEqual([
      {
        level: 'info',
        message: 'request refused',
        fields: {
          id: 'r1',
          address: '127.0.0.1',
          identity: 'anonymous',
          method: 'GET',
          path: '/',
          status: 404,
          reason: 'path_unknown',
          detail: 'first',
        },
      },
    ]);
  });

  it('names what was asked for as the listener saw it, and no path where there is none', async () => {
    for (const path of ['/federate', null]) {
      const gate = await gateThat(
        (answer) => answer.refuse('bad_target'),
        {},
        (passage) => {
          Object.assign(passage, { asked: { method: 'POST', path } });
        },
      );
      await curl(...flags, urlOf(gate));
      await poll('the line', () => gate.log.lines.length === 1);
      const { fields } = gate.log.lines[0]!;
      expect(fields['method']).toBe('POST');
      expect('path' in fields ? fields['path'] : null).toBe(path);
    }
  });

  it('is cut when it is refused after it has begun', async () => {
    const gate = await gateThat((answer) => {
      answer.open(200, {});
      answer.write(Buffer.from('begun'));
      answer.refuse('upstream_failed');
    });
    expect((await curl(...flags, urlOf(gate))).exit).not.toBe(0);
    await poll('the accounting', () => gate.metrics.records.length === 1);
    expect(gate.metrics.refusals).toEqual(['upstream_failed']);
    expect(gate.log.lines[0]).toMatchObject({ level: 'warn', message: 'answer cut', fields: { status: 200 } });
  });

  it('to HEAD has the headers of a refusal and no body', async () => {
    const gate = await gateThat((answer) => answer.refuse('path_unknown'));
    const got = await curl('-I', ...flags, urlOf(gate));
    expect(got).toMatchObject({ exit: 0, status: 404 });
    expect(got.headers['content-length']).toBe('23');
  });

  it('writes an access line when it is asked to, with who and how much', async () => {
    const gate = await gateThat(ok, { accessLog: true }, (passage) => {
      passage.identity = {
        name: 'certificate:master.test',
        label: 'certificate',
        user: null,
        certificate: {
          name: 'master.test',
          serial: '0A',
          spkiHash: '',
          commonName: null,
          sans: { dns: [], email: [], uri: [], ip: [] },
        },
        claim: { kind: 'open' },
      };
    });
    await curl(...flags, `${urlOf(gate)}/a?secret=1`);
    await poll('the line', () => gate.log.lines.length === 1);
    expect(gate.log.lines[0]).toMatchObject({
      level: 'info',
      message: 'request',
      fields: {
        identity: 'certificate:master.test',
        certificate: '0A',
        path: '/a',
        status: 200,
        bytes: 2,
        upstream: 'self',
      },
    });
    expect(gate.metrics.records[0]?.identity).toBe('certificate');
  });

  it('drops hop-by-hop headers, and the length of 204', async () => {
    const gate = await gateThat((answer) => {
      answer.open(204, {
        connection: 'x',
        'transfer-encoding': 'chunked',
        'keep-alive': 'x',
        'content-length': '5',
        etag: '1',
      });
      answer.end();
    });
    const got = await curl(...flags, urlOf(gate));
    expect(got).toMatchObject({ exit: 0, status: 204 });
    expect(got.headers).toMatchObject({ etag: '1' });
    for (const name of ['transfer-encoding', 'content-length']) expect(got.headers).not.toHaveProperty(name);
  });

  it.each([
    ['a line break in a value', 200, { 'x-a': 'b\r\nx-evil: 1' }],
    ['a value beyond latin1', 200, { 'x-a': '€' }],
    ['a name that is no token', 200, { 'x a': '1' }],
    ['a status out of range', 1000, {}],
  ])('with %s is 502, and nothing of it is sent', async (_what, status, headers) => {
    const gate = await gateThat((answer) => {
      answer.open(status, headers);
      answer.write(Buffer.from('body'));
      answer.end();
    });
    const got = await curl(...flags, urlOf(gate));
    expect(got).toMatchObject({ exit: 0, status: 502, body: 'bad gateway (request r1)\n' });
    expect(got.headers).not.toHaveProperty('x-evil');
    await poll('the accounting', () => gate.metrics.records[0]?.status === 502);
    expect(gate.metrics.refusals).toEqual(['upstream_failed']);
  });

  it('tells onClose even when it is asked late', async () => {
    const late: Answer[] = [];
    const gate = await gateThat((answer) => {
      late.push(answer);
      ok(answer);
    });
    await curl(...flags, urlOf(gate));
    await poll('the accounting', () => gate.metrics.records.length === 1);
    let told = false;
    late[0]?.onClose(() => (told = true));
    expect(told).toBe(true);
    expect(late[0]).toMatchObject({ opened: true, closed: true });
  });
});

describe('a connection that is leaving', () => {
  it('is told so on HTTP/1.1', async () => {
    const gate = await gateThat(ok, {}, (passage) => {
      Object.assign(passage.connection, { leaving: true });
    });
    const got = await curl(gate.url);
    expect(got.headers['connection']).toBe('close');
  });
});

describe('pipelined requests', () => {
  it('are answered in order although the second was ready first, and a cut one does not take the first along', async () => {
    const waiting: Answer[] = [];
    const gate = await gateThat((answer, passage) => {
      if (passage.target.path === '/1') waiting.push(answer);
      else {
        answer.open(200, {});
        answer.write(Buffer.from('second'));
        answer.cut('upstream_failed');
      }
    });
    const socket = connect(gate.port, '127.0.0.1');
    let text = '';
    let ended = false;
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined).on('close', () => (ended = true));
    socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
    await poll('both', () => waiting.length === 1 && gate.metrics.refusals.length === 1);
    expect(text).toBe('');
    waiting[0]?.open(200, { 'content-length': '5' });
    waiting[0]?.write(Buffer.from('first'));
    waiting[0]?.end();
    await poll('the end', () => ended);
    expect(text).toContain('first');
    // Whether the beginning of the second still comes differs between versions of Node; that it looks whole must not.
    expect(text.slice(text.indexOf('first'))).not.toContain('0\r\n\r\n');
    await poll('the accounting', () => gate.metrics.flying === 0);
  });
});
