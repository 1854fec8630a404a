/** What a reload takes over, what it keeps, and what it says: real files, a clock that is moved by hand. */
import { renameSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createReloader } from '../../src/config/reloader.ts';
import type { Reloader, ReloaderPorts } from '../../src/config/reloader.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';
import { createConfigFixture, htpasswdLine } from './config-fixture.ts';
import type { ConfigFixture } from './config-fixture.ts';

const YAML = `listen_addresses: [127.0.0.1:9095]
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: client-ca.crt
  client_crl_files: [client-ca.crl]
htpasswd_file: htpasswd
authenticate: either
`;

let fixture: ConfigFixture;
let clock: FakeClock;
let reloader: Reloader | null;
let applied: Config[];
let reported: Map<string, boolean>;
let logged: string[];

beforeAll(() => {
  fixture = createConfigFixture();
});

beforeEach(() => {
  fixture.reset();
  clock = createFakeClock(Date.now());
  applied = [];
  reported = new Map();
  logged = [];
});

afterEach(() => {
  reloader?.close();
});

afterAll(() => {
  fixture.remove();
});

async function start(yaml = YAML, ports: Partial<ReloaderPorts> = {}): Promise<Reloader> {
  const result = await loadConfig(fixture.write('promgate.yml', yaml), { generation: 1 });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const log = (level: string) => (fields: object, message: string) => {
    logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  reloader = createReloader({
    initial: result.loaded,
    options: {},
    apply: (config) => {
      applied.push(config);
    },
    metrics: { reloaded: (source, ok) => reported.set(source, ok) },
    log: { info: log('info'), warn: log('warn'), error: log('error') },
    clock,
    watch: null,
    ...ports,
  });
  return reloader;
}

/** Moves the clock while a reload waits for files that do not fit each other. */
async function settled<T>(promise: Promise<T>): Promise<T> {
  const ticking = setInterval(() => {
    clock.advance(250);
  }, 5);
  try {
    return await promise;
  } finally {
    clearInterval(ticking);
  }
}

const copy = (from: string, to: string) => fixture.write(to, fixture.read(from));

describe('a reload', () => {
  it('with nothing changed applies nothing and counts as good', async () => {
    const result = await (await start()).reload('a test');
    expect(result).toEqual({ ok: true, problems: '', restartNeeded: [] });
    expect(applied).toEqual([]);
    expect([...reported]).toEqual([
      ['config', true],
      ['certificate', true],
      ['client_ca', true],
      ['htpasswd', true],
    ]);
  });

  it('of the YAML applies everything at once, under the next generation', async () => {
    const running = await start();
    fixture.write('promgate.yml', `${YAML}access_log: true\n`);
    fixture.write('htpasswd', `${htpasswdLine('third', 'x')}\n`);
    expect((await running.reload('a test')).ok).toBe(true);
    expect(applied).toHaveLength(1);
    expect(running.current()).toMatchObject({ generation: 2, accessLog: true });
    expect([...running.current().users.keys()]).toEqual(['third']);
  });

  it('of a bad YAML keeps the old one, and says where it is bad', async () => {
    const running = await start();
    fixture.write('promgate.yml', `${YAML}acess_log: true\n`);
    const result = await running.reload('a test');
    expect(result.ok).toBe(false);
    expect(result.problems).toContain('promgate.yml:9:1: error: unknown key "acess_log"');
    expect(applied).toEqual([]);
    expect(running.current().generation).toBe(1);
    expect(reported.get('config')).toBe(false);
    expect(reported.get('htpasswd')).toBe(true);
    expect(logged).toContain('error reload failed, the last good state stays {"trigger":"a test","failed":["config"]}');
    expect(logged.filter((line) => line.includes('reload problem'))).toEqual([
      `error reload problem ${JSON.stringify({
        place: `${fixture.path('promgate.yml')}:9:1`,
        error: 'unknown key "acess_log"',
        hint: 'did you mean "access_log"?',
      })}`,
    ]);
  });

  it('with many problems writes twenty of them, one line each, and how many more there are', async () => {
    const running = await start();
    const wrong = Array.from({ length: 25 }, (_, at) => `wrong_${at}: true\n`).join('');
    fixture.write('promgate.yml', YAML + wrong);
    await running.reload('a test');
    const problems = logged.filter((line) => line.startsWith('error reload problem'));
    expect(problems).toHaveLength(20);
    for (const line of problems) expect(line).not.toMatch(/\\n| \| /);
    expect(logged.at(-1)).toBe('warn more reload problems {"more":5}');
  });

  it('of a YAML whose files are bad changes nothing of it', async () => {
    const running = await start();
    fixture.write(
      'promgate.yml',
      YAML.replace('htpasswd_file: htpasswd', 'htpasswd_file: htpasswd-faults').concat('access_log: true\n'),
    );
    const result = await running.reload('a test');
    expect(result.ok).toBe(false);
    expect(result.problems).toContain('htpasswd-faults:2: error:');
    expect(applied).toEqual([]);
  });

  it('takes over a changed file although the YAML is bad: a user that was removed is out', async () => {
    const running = await start();
    fixture.write('promgate.yml', 'not: [yaml');
    fixture.write('htpasswd', `${htpasswdLine('second', 'x')}\n`);
    const result = await running.reload('a test');
    expect(result.ok).toBe(false);
    expect([...running.current().users.keys()]).toEqual(['second']);
    expect(running.current().generation).toBe(2);
    expect([reported.get('config'), reported.get('htpasswd')]).toEqual([false, true]);
  });

  it('keeps the last good state of a bad group, which blocks no other', async () => {
    const running = await start();
    fixture.write('htpasswd', 'prom:hunter2\n');
    copy('other.crt', 'server.crt');
    copy('other.key', 'server.key');
    const result = await running.reload('a test');
    expect(result.ok).toBe(false);
    expect(result.problems).toContain('htpasswd:1: error:');
    expect(result.problems).not.toContain('hunter2');
    expect(running.current().tls?.certificates[0]?.names).toEqual(['other.example.com']);
    expect([...running.current().users.keys()]).toEqual(['prom', 'second']);
    expect([reported.get('certificate'), reported.get('htpasswd')]).toEqual([true, false]);
  });

  it('names the groups that it has applied, also beside one that failed', async () => {
    const running = await start();
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 99 }).pem);
    await running.reload('a test');
    expect(logged.at(-1)).toMatch(/^info configuration reloaded \{.*"applied":"client_ca"\}$/);
    fixture.write('promgate.yml', `${YAML}access_log: true\n`);
    fixture.write('htpasswd', `${htpasswdLine('third', 'x')}\n`);
    await running.reload('a test');
    expect(logged.at(-1)).toContain('"applied":"config,htpasswd"');
    fixture.write('htpasswd', 'prom:hunter2\n');
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 100 }).pem);
    logged = [];
    await running.reload('a test');
    expect(logged[0]).toMatch(/^info configuration reloaded \{.*"applied":"client_ca"\}$/);
    expect(logged[1]).toMatch(/^error reload failed/);
  });

  it('names what was applied before the last look', async () => {
    const running = await start();
    copy('other.crt', 'server.crt');
    fixture.write('htpasswd', `${htpasswdLine('second', 'x')}\n`);
    await settled(running.reload('a test'));
    expect(logged[0]).toContain('"applied":"htpasswd"');
  });

  it('removes a user although an identity names it', async () => {
    const running = await start(`${YAML}identities: [{name: prom}, {name: second}]\n`);
    fixture.write('htpasswd', `${htpasswdLine('second', 'x')}\n`);
    const result = await running.reload('a test');
    expect(result.ok).toBe(true);
    expect(result.problems).toContain('warning: the identity has no credentials, and there is no user "prom"');
    expect([...running.current().users.keys()]).toEqual(['second']);
  });

  it('refuses a CRL that is older than the one in force', async () => {
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 9 }).pem);
    const running = await start();
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 8 }).pem);
    expect((await running.reload('a test')).problems).toContain('has number 8, older than number 9 in force');
    expect(reported.get('client_ca')).toBe(false);
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 10 }).pem);
    expect((await running.reload('a test')).ok).toBe(true);
    expect(running.current().tls?.trust.crls[0]?.number).toBe(10n);
  });

  it('says which changes need a restart, until there was one', async () => {
    const running = await start();
    fixture.write('promgate.yml', YAML.replace('127.0.0.1:9095', '127.0.0.1:9097').concat('admin_address: off\n'));
    expect((await running.reload('a test')).restartNeeded).toEqual(['listen_addresses', 'admin_address']);
    expect((await running.reload('a test')).restartNeeded).toEqual(['listen_addresses', 'admin_address']);
    fixture.write('promgate.yml', YAML);
    expect((await running.reload('a test')).restartNeeded).toEqual([]);
  });

  it('of a YAML in force that would not start any more fails, and applies every group all the same', async () => {
    const options = { listenAddresses: ['127.0.0.1:0'] };
    const running = await start(YAML, { options });
    options.listenAddresses = ['nonsense'];
    fixture.write('htpasswd', `${htpasswdLine('third', 'x')}\n`);
    const result = await settled(running.reload('a test'));
    expect(result.ok).toBe(false);
    expect(result.problems).toContain('promgate.yml: error: --web.listen-address "nonsense": no port');
    expect([...running.current().users.keys()]).toEqual(['third']);
    expect([reported.get('config'), reported.get('htpasswd')]).toEqual([false, true]);
  });

  it('that cannot be put to work keeps the old Config', async () => {
    const running = await start(YAML, {
      apply: () => Promise.reject(new Error('no room')),
    });
    fixture.write('promgate.yml', `${YAML}access_log: true\n`);
    const result = await running.reload('a test');
    expect(result).toMatchObject({ ok: false });
    expect(result.problems).toContain('could not be put to work: no room');
    expect(running.current().generation).toBe(1);
    expect(reported.get('config')).toBe(false);
  });
});

describe('a pair that does not match', () => {
  it('is tried again, and applied when its other half has come', async () => {
    const running = await start();
    copy('other.crt', 'server.crt');
    const reload = running.reload('a test');
    const arrival = setTimeout(() => copy('other.key', 'server.key'), 30);
    expect((await settled(reload)).ok).toBe(true);
    clearTimeout(arrival);
    expect(running.current().tls?.certificates[0]?.names).toEqual(['other.example.com']);
    expect(applied).toHaveLength(1);
    expect(logged.join()).toContain('"applied":"certificate"');
  });

  it('counts as failed after five seconds, and has kept no other group waiting', async () => {
    const running = await start();
    copy('other.crt', 'server.crt');
    fixture.write('htpasswd', `${htpasswdLine('second', 'x')}\n`);
    const reload = running.reload('a test');
    await poll('the new users', () => applied.length === 1);
    expect(clock.monotonic()).toBe(0);
    const result = await settled(reload);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(5000);
    expect(result.ok).toBe(false);
    expect(result.problems).toContain('the private key does not belong to the certificate');
    expect(reported.get('certificate')).toBe(false);
    expect([...running.current().users.keys()]).toEqual(['second']);
    expect(running.current().tls?.certificates[0]?.names).toContain('localhost');
  });
});

describe('reloads at the same time', () => {
  it('run one after the other, and those that wait share one turn', async () => {
    let inside = 0;
    let most = 0;
    const running = await start(YAML, {
      apply: async (config) => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        applied.push(config);
      },
    });
    fixture.write('promgate.yml', `${YAML}access_log: true\n`);
    const first = running.reload('first');
    await poll('the first to begin', () => inside > 0 || applied.length > 0, { everyMs: 1 });
    fixture.write('promgate.yml', `${YAML}shutdown_delay: 1s\n`);
    const results = await Promise.all([first, running.reload('second'), running.reload('third')]);
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(most).toBe(1);
    expect(applied).toHaveLength(2);
    expect(running.current()).toMatchObject({ accessLog: false, shutdownDelayMs: 1000 });
  });
});

describe('a watched configuration', () => {
  it('follows its files without being asked', async () => {
    const { watchFiles } = await import('../../src/config/watch.ts');
    const running = await start(YAML, { clock: systemClock, watch: watchFiles });
    fixture.write('htpasswd.new', `${htpasswdLine('fourth', 'x')}\n`);
    renameSync(fixture.path('htpasswd.new'), fixture.path('htpasswd'));
    await poll('the new users', () => running.current().users.has('fourth'));
    fixture.write('promgate.yml', `${YAML}htpasswd: x\n`);
    await poll('the refusal', () => reported.get('config') === false);
    fixture.write('promgate.yml', YAML.replace('htpasswd_file: htpasswd', 'htpasswd_file: users'));
    await poll('the missing file', () => logged.some((line) => line.includes('users\\" does not exist')));
    fixture.write('users', `${htpasswdLine('fifth', 'x')}\n`);
    await poll('the file that was missing', () => running.current().users.has('fifth'));
  });
});
