import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { parseHtpasswd } from '../../src/formats/htpasswd.ts';
import { verifyPassword } from '../../src/formats/password-hash.ts';
import { runProcess } from '../support/processes.ts';
import { createInitFixture } from './init-fixture.ts';
import type { InitFixture } from './init-fixture.ts';

/** In the order in which they are written. */
const FILES = [
  'certs/ca.key',
  'certs/ca.crt',
  'certs/server.key',
  'certs/server.crt',
  'certs/prometheus.key',
  'certs/prometheus.crt',
  'initial-password',
  '.htpasswd',
  'certs/ca-index.json',
  'certs/ca.crl',
  'promgate.yml',
];

let fixture: InitFixture;

beforeEach(() => {
  fixture = createInitFixture();
});

afterEach(() => {
  fixture.remove();
});

async function load() {
  const result = await loadConfig(fixture.path('promgate.yml'), { generation: 1 });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  expect(result.problems).toEqual([]);
  return result.config;
}

function verifies(password: string): boolean {
  const [entry] = parseHtpasswd(fixture.text('.htpasswd')).entries;
  return entry?.user === 'prometheus' && verifyPassword(entry.hash, password);
}

describe('a first run', () => {
  it('writes what a gate needs; keys, users and the password are for their owner only', async () => {
    const { code, terminal } = await fixture.init();
    expect(code).toBe(0);
    expect(Object.keys(fixture.snapshot()).sort()).toEqual([...FILES].sort());
    const modes = FILES.map((name) => `${name} ${(statSync(fixture.path(name)).mode & 0o777).toString(8)}`);
    expect(modes.filter((mode) => mode.endsWith('600')).sort()).toEqual(
      [
        '.htpasswd',
        'certs/ca-index.json',
        'certs/ca.key',
        'certs/prometheus.key',
        'certs/server.key',
        'initial-password',
      ].map((name) => `${name} 600`),
    );
    const written = terminal.stderr.filter((line) => line.startsWith('promgate: wrote '));
    expect(written).toEqual(FILES.map((name) => `promgate: wrote ${fixture.path(name)}`));
  });

  it('the configuration loads without a problem and means what is promised', async () => {
    await fixture.init();
    const config = await load();
    expect(config).toMatchObject({ authenticate: 'either', tls: { trust: { type: 'VerifyClientCertIfGiven' } } });
    expect(config.listen.map(({ text }) => text)).toEqual([':9095']);
    expect([...config.users.keys()]).toEqual(['prometheus']);
    expect(config.upstreams).toMatchObject([{ address: { kind: 'self' }, kind: 'exporter', pathPrefix: '/' }]);
  });

  it('with a Prometheus on the host it is the upstream, and the gate’s own metrics are below /promgate', async () => {
    fixture.machine.hasPrometheus = true;
    await fixture.init();
    const { upstreams } = await load();
    expect(upstreams).toMatchObject([
      { address: { origin: 'http://127.0.0.1:9090' }, kind: 'prometheus', pathPrefix: '/' },
      { address: { kind: 'self' }, kind: 'exporter', pathPrefix: '/promgate' },
    ]);
  });

  it('openssl verifies the certificates for their purposes and the names of the host', async () => {
    await fixture.init();
    const verify = ['verify', '-x509_strict', '-CAfile', fixture.path('certs/ca.crt')];
    for (const name of ['localhost', '127.0.0.1', '::1', 'site-a', '192.0.2.7', '2001:db8::7']) {
      const flag = /:|^\d/.test(name) ? '-verify_ip' : '-verify_hostname';
      const argv = [...verify, '-purpose', 'sslserver', flag, name, fixture.path('certs/server.crt')];
      expect((await runProcess('openssl', argv)).code, name).toBe(0);
    }
    const client = [...verify, '-purpose', 'sslclient', fixture.path('certs/prometheus.crt')];
    expect((await runProcess('openssl', client)).code).toBe(0);
    expect(fixture.certificate('prometheus')).toMatchObject({
      commonName: 'prometheus',
      sans: { dns: ['prometheus'] },
    });
  });

  it('without a terminal the password is in a file and in nothing that is printed', async () => {
    const { terminal } = await fixture.init();
    const password = fixture.text('initial-password');
    expect(password).toMatch(/^[a-z2-9]{28}\n$/);
    expect(verifies(password.trim())).toBe(true);
    expect(terminal.all()).not.toContain(password.trim());
    expect(terminal.all()).not.toContain('$2y$');
  });

  it('on a terminal the password is shown once, and no file has it', async () => {
    const { terminal } = await fixture.init({ isTerminal: true });
    const shown = /^user prometheus, password (\S+) /.exec(terminal.stdout[0] ?? '')?.[1] ?? '';
    expect(verifies(shown)).toBe(true);
    expect(existsSync(fixture.path('initial-password'))).toBe(false);
    for (const content of Object.values(fixture.snapshot())) expect(content).not.toContain(shown);
    const second = await fixture.init({ isTerminal: true });
    expect(second.terminal.all()).not.toContain(shown);
    expect(second.terminal.all()).toContain(`promgate passwd ${fixture.path('.htpasswd')} add prometheus`);
  });

  it('says that no Prometheus answers, and only then', async () => {
    const message =
      'promgate: no Prometheus answers at http://127.0.0.1:9090: the gate serves its own metrics until you ';
    expect((await fixture.init()).terminal.all()).toContain(
      `${message}name an upstream in ${fixture.path('promgate.yml')}`,
    );
    expect((await fixture.init()).terminal.all()).not.toContain(message);
    rmSync(fixture.path('promgate.yml'));
    fixture.machine.hasPrometheus = true;
    expect((await fixture.init()).terminal.all()).not.toContain(message);
  });

  it('wants the file with the first password deleted when it is copied, and when it is valid no longer', async () => {
    const path = fixture.path('initial-password');
    const copied = `is in ${path}, which only its owner can read: delete it when you have copied it`;
    expect((await fixture.init()).terminal.all()).toContain(copied);
    expect((await fixture.init()).terminal.all()).toContain(copied);
    writeFileSync(path, 'of-another-day\n');
    const stale = await fixture.init();
    expect(stale.terminal.all()).toContain(`the password in ${path} is valid no longer: delete the file`);
    expect(stale.terminal.all()).toContain(`promgate passwd ${fixture.path('.htpasswd')} add prometheus`);
    expect(stale.terminal.stdout.join('\n')).not.toContain(path);
    rmSync(path);
    const without = await fixture.init();
    expect(without.terminal.all()).not.toContain(path);
    expect(existsSync(path)).toBe(false);
  });

  it('two hosts have different passwords and keys', async () => {
    const other = createInitFixture();
    try {
      await fixture.init();
      await other.init();
      for (const name of FILES.filter((file) => !/promgate\.yml|ca-index/.test(file)))
        expect(other.text(name)).not.toBe(fixture.text(name));
    } finally {
      other.remove();
    }
  });

  it('makes the directory when it is missing', async () => {
    const { code } = await fixture.init({ directory: fixture.path('a', 'b') });
    expect(code).toBe(0);
    expect(existsSync(fixture.path('a', 'b', 'promgate.yml'))).toBe(true);
  });

  it.each(['', 'MY_HOST.Example', `${'a'.repeat(63)}.${'b'.repeat(63)}.c`, 'a b;c', '0123456789', 'ü'])(
    'a host called %j gets a certificate',
    async (hostName) => {
      fixture.machine.hostName = hostName;
      expect((await fixture.init()).code).toBe(0);
      const usable = /^[\w.-]+$/.test(hostName) && !/^\d+$/.test(hostName);
      const names = ['localhost', ...(usable ? [hostName.toLowerCase()] : [])];
      expect(fixture.certificate('server').sans.dns).toEqual(names);
    },
  );
});

it('a second run changes nothing', async () => {
  await fixture.init();
  const before = fixture.snapshot();
  fixture.machine = { hostName: 'renamed', addresses: ['192.0.2.7'], hasPrometheus: true };
  const { code, terminal } = await fixture.init();
  expect(code).toBe(0);
  expect(fixture.snapshot()).toEqual(before);
  expect(terminal.stderr[0]).toBe('promgate: everything is there, nothing was changed');
});

describe('a run that was interrupted', () => {
  it.each(FILES.map((name, index) => [name, index] as const))('before %s is completed', async (_, index) => {
    await fixture.init();
    for (const name of FILES.slice(index)) rmSync(fixture.path(name));
    const before = fixture.snapshot();
    // A number that may have been given away is not used again.
    if (!existsSync(fixture.path('certs/ca.crl'))) delete before['certs/ca-index.json'];
    expect((await fixture.init()).code).toBe(0);
    expect(fixture.snapshot()).toMatchObject(before);
    expect(Object.keys(fixture.snapshot()).sort()).toEqual([...FILES].sort());
    const config = await load();
    expect(config.tls?.certificates[0]?.names).toContain('site-a');
    expect(verifies(fixture.text('initial-password').trim())).toBe(true);
    const files = ['server', 'prometheus'].map((name) => fixture.path('certs', `${name}.crt`));
    const argv = ['verify', '-CAfile', fixture.path('certs/ca.crt'), ...files];
    expect((await runProcess('openssl', argv)).code).toBe(0);
  });

  it.each(['.htpasswd', 'certs/prometheus.crt', 'certs/server.crt'])('%s comes back when it is lost', async (name) => {
    await fixture.init();
    rmSync(fixture.path(name));
    const before = fixture.snapshot();
    expect((await fixture.init()).code).toBe(0);
    expect(existsSync(fixture.path(name))).toBe(true);
    expect(fixture.snapshot()).toMatchObject(before);
  });
});

describe('what init does not understand', () => {
  const outcomes: [string, () => void, RegExp][] = [
    ['a configuration that is no YAML map', () => write('promgate.yml', '- a\n'), /promgate check/],
    ['a configuration that is no YAML', () => write('promgate.yml', 'a: [\n'), /promgate check/],
    [
      'a lost CA key with a server certificate to issue',
      () => lose('certs/ca.key', 'certs/server.crt'),
      /ca\.key is missing/,
    ],
    ['a lost CA with certificates that it issued', () => lose('certs/ca.key', 'certs/ca.crt'), /ca\.crt is missing/],
    ['a lost CA certificate with certificates that it issued', () => lose('certs/ca.crt'), /ca\.crt is missing/],
    ['a lost server key', () => lose('certs/server.key'), /server\.crt is there without/],
    [
      'a client key that does not match',
      () => write('certs/prometheus.key', fixture.text('certs/ca.key')),
      /does not belong/,
    ],
    ['a server certificate that is none', () => write('certs/server.crt', 'x'), /server\.crt: /],
    [
      'a key of the server that is none',
      () => {
        lose('certs/server.crt');
        write('certs/server.key', 'x');
      },
      /cannot? be certified|is not a key/,
    ],
  ];
  const write = (name: string, content: string): void => {
    writeFileSync(fixture.path(name), content);
  };
  const lose = (...names: readonly string[]): void => {
    for (const name of names) rmSync(fixture.path(name));
  };

  it.each(outcomes)('%s: a line with the way out, and nothing is written', async (_, happens, message) => {
    await fixture.init();
    happens();
    const before = fixture.snapshot();
    const { code, terminal } = await fixture.init();
    expect(code).toBe(1);
    expect(fixture.snapshot()).toEqual(before);
    expect(terminal.stderr.join('\n')).toMatch(message);
    expect(terminal.stderr.join('\n')).toContain('promgate: hint: ');
    expect(terminal.stdout).toEqual([]);
  });

  it('a password file that others could have written or read is refused', async () => {
    writeFileSync(fixture.path('initial-password'), 'chosen-by-somebody-else\n', { mode: 0o644 });
    await expect(fixture.init()).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
    rmSync(fixture.path('initial-password'));
    writeFileSync(fixture.path('elsewhere'), 'chosen-by-somebody-else\n', { mode: 0o600 });
    symlinkSync('elsewhere', fixture.path('initial-password'));
    await expect(fixture.init()).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
    expect(existsSync(fixture.path('certs'))).toBe(false);
  });

  it('a link of that name that leads nowhere is not written through', async () => {
    symlinkSync(fixture.path('elsewhere'), fixture.path('promgate.yml'));
    await expect(fixture.init()).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
    expect(existsSync(fixture.path('elsewhere'))).toBe(false);
  });
});

it('a configuration that refers to other files gets none of ours', async () => {
  const other = 'listen_addresses: ["127.0.0.1:9100"]\ntls_server_config: {cert_file: a.crt, key_file: a.key}\n';
  writeFileSync(fixture.path('promgate.yml'), other);
  const { code } = await fixture.init();
  expect(code).toBe(0);
  expect(Object.keys(fixture.snapshot())).toEqual(['promgate.yml']);
});

it('without the key of the CA an existing gate still gets its users', async () => {
  await fixture.init();
  rmSync(fixture.path('certs/ca.key'));
  rmSync(fixture.path('certs/prometheus.crt'));
  rmSync(fixture.path('certs/prometheus.key'));
  rmSync(fixture.path('.htpasswd'));
  expect((await fixture.init()).code).toBe(0);
  expect(existsSync(fixture.path('.htpasswd'))).toBe(true);
  expect(existsSync(fixture.path('certs/prometheus.crt'))).toBe(false);
});

it('warns of a key that everybody on the host can read', async () => {
  await fixture.init();
  chmodSync(fixture.path('certs/server.key'), 0o644);
  const { terminal } = await fixture.init();
  const key = fixture.path('certs/server.key');
  expect(terminal.stderr).toContain(
    `promgate: warning: ${key} can be read by every user of this host: chmod 600 ${key}`,
  );
});

it('a file where the directory of the certificates should be stands in the way', async () => {
  writeFileSync(fixture.path('certs'), '');
  const { code, terminal } = await fixture.init();
  expect(code).toBe(1);
  expect(terminal.stderr[0]).toContain(`${fixture.path('certs')}/`);
  expect(existsSync(fixture.path('promgate.yml'))).toBe(false);
  rmSync(fixture.path('certs'));
  mkdirSync(fixture.path('certs'));
  expect((await fixture.init()).code).toBe(0);
});
