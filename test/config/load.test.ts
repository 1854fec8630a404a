/** loadConfig: defaults, files and their faults, what a Config is made of. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { renderProblems } from '../../src/config/explain.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { LoadOptions } from '../../src/config/load.ts';
import { encryptKey, generateKey } from '../../src/tls/authority/keys.ts';
import { createAuthority } from '../support/certificates.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createConfigFixture, htpasswdLine } from './config-fixture.ts';
import type { ConfigFixture } from './config-fixture.ts';

let fixture: ConfigFixture;

beforeAll(() => {
  fixture = createConfigFixture();
});

beforeEach(() => {
  fixture.reset();
});

afterAll(() => {
  fixture.remove();
});

const DAY_MS = 86_400_000;
const TLS = 'tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n';
const MTLS = `${TLS}  client_ca_file: client-ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n`;

async function load(text: string, options: Partial<LoadOptions> = {}) {
  const file = fixture.write('promgate.yml', text);
  const result = await loadConfig(file, { generation: 1, ...options });
  const said = renderProblems(result.problems, 'promgate.yml', result.text).replaceAll(`${fixture.directory}/`, '');
  return { result, said };
}

async function configOf(text: string, options: Partial<LoadOptions> = {}): Promise<Config> {
  const { result, said } = await load(text, options);
  if (!result.ok) throw new Error(said);
  return result.config;
}

describe('what editors add to a file', () => {
  it('is no part of a password: a BOM and a line feed', async () => {
    fixture.write('bom-password', '\ufeffa very secret password\r\n');
    const entry = '{url: "https://127.0.0.1:9090", basic_auth: {username: u, password_file: bom-password}}';
    const { result } = await load(`upstreams: [${entry}]\nlisten_addresses: ["127.0.0.1:9095"]\n`);
    expect(result.ok && result.config.upstreams[0]?.authorization).toEqual({
      kind: 'header',
      value: `Basic ${Buffer.from('u:a very secret password').toString('base64')}`,
    });
  });
});

describe('defaults', () => {
  it('are those of the documentation', async () => {
    const config = await configOf('authenticate: none\n');
    expect(config).toMatchObject({
      generation: 1,
      listen: [{ kind: 'tcp', host: null, port: 9095 }],
      http2: true,
      tls: null,
      authenticate: 'none',
      access: { allow: null, allowHosts: [] },
      exempt: [],
      lockout: { attempts: 10, windowMs: 60_000, durationMs: 300_000, attemptsPerAddress: 50 },
      hashing: { workers: 1, queue: 64, queuePerAddress: 8, deadlineMs: 10_000 },
      limits: {
        connections: 4096,
        connectionsPerAddress: 256,
        handshakeTimeoutMs: 10_000,
        headerTimeoutMs: 10_000,
        sendTimeoutMs: 30_000,
        idleTimeoutMs: 330_000,
        idleTimeoutUnauthenticatedMs: 10_000,
        maxConnectionAgeMs: null,
      },
      rateLimit: null,
      identities: null,
      headers: {},
      admin: { address: { kind: 'tcp', host: '127.0.0.1', port: 9096 } },
      accessLog: false,
      drainTimeoutMs: 10_000,
      shutdownDelayMs: 0,
    });
    expect(config.upstreams).toMatchObject([
      {
        name: 'http://127.0.0.1:9090',
        address: { kind: 'http', origin: 'http://127.0.0.1:9090', host: '127.0.0.1', port: 9090 },
        kind: 'prometheus',
        pathPrefix: '/',
        stripPrefix: false,
        basePath: '',
        alsoAllow: [],
        authorization: { kind: 'none' },
        tls: { ca: null, clientCertificate: null, serverName: null },
        maxConnections: 64,
        maxQueue: 256,
        queueTimeoutMs: 5000,
        connectTimeoutMs: 5000,
        responseTimeoutMs: 130_000,
        bodyTimeoutMs: 60_000,
        requestBodyLimit: 10 * 1024 * 1024,
      },
    ]);
  });

  it('of TLS are TLS 1.2 to 1.3, with the suites and curves of Node', async () => {
    const { tls } = await configOf(`${TLS}authenticate: none\n`);
    expect(tls?.settings).toEqual({
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers: null,
      curves: null,
      preferServerCiphers: true,
    });
    expect(tls?.trust).toMatchObject({ type: 'NoClientCert', ca: [], crls: [], allowedSans: [] });
  });

  it('give `url: self` the kind exporter', async () => {
    const { upstreams } = await configOf('authenticate: none\nupstreams: [{url: self}]\n');
    expect(upstreams[0]).toMatchObject({ name: 'self', kind: 'exporter', address: { kind: 'self' } });
  });
});

describe('certificates', () => {
  it('carry the names of the leaf in lower case', async () => {
    const { tls } = await configOf(`${TLS}authenticate: none\n`);
    expect(tls?.certificates).toMatchObject([
      { names: ['localhost', 'gate.example.com', '127.0.0.1'], keyType: 'ec', issuer: 'CN=Server CA' },
    ]);
  });

  it('may stand in the YAML', async () => {
    const inline = (name: string) =>
      fixture
        .read(name)
        .trimEnd()
        .split('\n')
        .map((line) => `    ${line}`)
        .join('\n');
    const text = `tls_server_config:\n  cert: |\n${inline('server.crt')}\n  key: |\n${inline('server.key')}\nauthenticate: none\n`;
    const { tls } = await configOf(text);
    expect(tls?.certificates[0]?.name).toBe('inline');
  });

  it('that have expired are a warning', async () => {
    const { result, said } = await load(
      'authenticate: none\ntls_server_config: {cert_file: expired.crt, key_file: expired.key}\n',
    );
    expect(result.ok).toBe(true);
    expect(said).toContain('warning: the certificate expired at 2020-02-01T00:00:00Z');
  });

  it.each([
    ['a short one in its last third', 3, 1.01, null],
    ['a short one in its last third', 3, 0.99, 'warning: the certificate ends in less than a day, at '],
    ['a long one in its last 30 days', 365, 30.01, null],
    ['a long one in its last 30 days', 365, 29.5, 'warning: the certificate ends in 29 days, at '],
  ])('%s (of %d days, %d left) are a warning, once', async (_, life, left, expected) => {
    const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 10 * DAY_MS);
    const notBefore = new Date(notAfter.getTime() - life * DAY_MS);
    const authority = createAuthority();
    const { cert, key } = authority.issue({ name: 'gate', sans: ['DNS:gate'], notBefore, notAfter });
    authority.remove();
    fixture.write('server.crt', cert);
    fixture.write('server.key', key);
    const clock = createFakeClock(notAfter.getTime() - left * DAY_MS);
    const { result, said } = await load(`${TLS}authenticate: none\n`, { clock });
    expect(result.ok).toBe(true);
    expect(said.split('warning:')).toHaveLength(expected === null ? 1 : 2);
    expect(said).toContain(expected ?? '');
  });

  it('of mixed key types are served from Node 24 on', async () => {
    const text = `authenticate: none\n${TLS}  additional_certificates: [{cert_file: rsa.crt, key_file: rsa.key}]\n`;
    expect((await load(text)).result.ok).toBe(false);
    expect((await load(text, { nodeMajor: 22 })).result.ok).toBe(false);
    expect((await load(text, { nodeMajor: 24 })).result.ok).toBe(true);
  });

  it('that OpenSSL would refuse at run time are refused at once', async () => {
    const openssl = (...argv: string[]) => execFileSync('openssl', argv, { cwd: fixture.directory, stdio: 'ignore' });
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:512',
      '-nodes',
      '-subj',
      '/CN=weak',
      '-keyout',
      'server.key',
      '-out',
      'server.crt',
    );
    const { result, said } = await load(`${TLS}authenticate: none\n`);
    expect(result.ok).toBe(false);
    expect(said).toContain('error: OpenSSL refuses the certificate: ee key too small');
  });

  it('whose key is readable by others are a warning with the way out', async () => {
    fixture.write('server.key', fixture.read('server.key'), 0o644);
    const { result, said } = await load(`${TLS}authenticate: none\n`);
    expect(result.ok).toBe(true);
    expect(said).toContain('warning: "server.key" can be read by every user of this machine (mode 0644)');
    expect(said).toContain('hint: chmod 0600 server.key');
  });
});

describe('client CA and CRL', () => {
  it('are read together', async () => {
    const { tls } = await configOf(`${MTLS}  client_crl_files: [client-ca.crl]\n`);
    expect(tls?.trust.ca).toHaveLength(1);
    expect(tls?.trust.caFingerprints.size).toBe(1);
    expect(tls?.trust.crls).toMatchObject([{ issuer: 'CN=Client CA' }]);
  });

  it('a CRL that has expired is a warning', async () => {
    const past = { thisUpdate: new Date('2020-01-01T00:00:00Z'), nextUpdate: new Date('2020-01-02T00:00:00Z') };
    fixture.write('client-ca.crl', fixture.clientCa.crl(past).pem);
    const { result, said } = await load(`${MTLS}  client_crl_files: [client-ca.crl]\n`);
    expect(result.ok).toBe(true);
    expect(said).toContain('warning: "client-ca.crl": the CRL of "CN=Client CA" expired at 2020-01-02T00:00:00Z');
  });

  it('a CRL with a lower number than the one in force is refused', async () => {
    const text = `${MTLS}  client_crl_files: [client-ca.crl]\n`;
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 7 }).pem);
    const previous = await configOf(text);
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 6 }).pem);
    expect((await load(text)).result.ok).toBe(true);
    const { result, said } = await load(text, { previous });
    expect(result.ok).toBe(false);
    expect(said).toContain('has number 6, older than number 7 in force');
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 7 }).pem);
    expect((await load(text, { previous })).result.ok).toBe(true);
  });

  it('a list of an own CA whose key has a passphrase is a warning that names the command', async () => {
    const text = MTLS.replace('client-ca.crt', 'own/ca.crt') + '  client_crl_files: [own/ca.crl]\n';
    mkdirSync(fixture.path('own'), { recursive: true });
    fixture.write('own/ca.crt', fixture.clientCa.cert);
    fixture.write('own/ca.crl', fixture.clientCa.crl().pem);
    const key = generateKey();
    fixture.write('own/ca.key', key);
    expect((await load(text)).said).not.toContain('passphrase');
    fixture.write('own/ca.key', encryptKey(key, 'a long passphrase'));
    const { result, said } = await load(text);
    expect(result.ok).toBe(true);
    expect(said).toContain('warning: "own/ca.crl" is not renewed by the gate: the key of its CA has a passphrase');
    expect(said).toContain('promgate pki crl --directory=own');
  });

  it('crl_on_expiry is deny unless written, and has no effect without a list', async () => {
    expect((await configOf(`${MTLS}  client_crl_files: [client-ca.crl]\n`)).tls?.trust.crlOnExpiry).toBe('deny');
    const { result, said } = await load(`${MTLS}  crl_on_expiry: warn\n`);
    expect(result.ok && result.config.tls?.trust.crlOnExpiry).toBe('warn');
    expect(said).toContain('crl_on_expiry has no effect without client_crl_files');
  });

  it('a CA file of intermediates alone is a warning: nobody would get in', async () => {
    const intermediate = fixture.clientCa.intermediate('Site CA');
    fixture.write('client-ca.crt', intermediate.cert);
    const { result, said } = await load(MTLS);
    expect(result.ok).toBe(true);
    expect(said).toContain('has no self-signed certificate: every client certificate will be refused');
    expect(said).toContain('add that of "CN=Client CA"');
    fixture.write('client-ca.crt', intermediate.cert + fixture.clientCa.cert);
    expect((await load(MTLS)).said).not.toContain('self-signed');
  });

  it('a CA without a revocation list is a warning where it lets anybody in', async () => {
    const said = 'the client CA has no revocation list: no client can be revoked';
    expect((await load(MTLS)).said).toContain(said);
    expect((await load(`${MTLS}  client_crl_files: [client-ca.crl]\n`)).said).not.toContain(said);
    expect((await load(`${MTLS.replace('RequireAndVerify', 'Request')}authenticate: none\n`)).said).not.toContain(said);
    // One that is not that of a CA certifies nobody.
    fixture.write('client-ca.crt', fixture.read('server.crt'));
    expect((await load(MTLS)).said).not.toContain(said);
  });

  it('the CA counts only where clients are verified', async () => {
    const { tls } = await configOf(`${MTLS.replace('RequireAndVerify', 'Request')}authenticate: none\n`);
    expect(tls?.trust).toMatchObject({ type: 'RequestClientCert', ca: [] });
  });
});

describe('users', () => {
  it('of the file and of the YAML are united, and may have several passwords', async () => {
    const hash = htpasswdLine('prom', 'a second password').split(':')[1] ?? '';
    const { users } = await configOf(
      `${TLS}htpasswd_file: htpasswd\nbasic_auth_users:\n  prom: ${hash}\n  __proto__: ${hash}\n`,
    );
    expect([...users.keys()].sort()).toEqual(['__proto__', 'prom', 'second']);
    expect(users.get('prom')).toHaveLength(2);
  });

  it('keep names that YAML would read as numbers, booleans or nothing', async () => {
    const hash = htpasswdLine('u', 'p').split(':')[1] ?? '';
    const names = ['0123', '1e3', 'true', '0x10', 'off'];
    const { users } = await configOf(
      `${TLS}basic_auth_users:\n${names.map((name) => `  ${name}: ${hash}\n`).join('')}`,
    );
    expect([...users.keys()].sort()).toEqual([...names].sort());
  });

  it('an htpasswd file without users still demands a password', async () => {
    fixture.write('htpasswd', '# nobody\n');
    const { result, said } = await load(`${TLS}htpasswd_file: htpasswd\n`);
    expect(said).toContain('warning: "htpasswd" has no user');
    expect(result.ok && result.config.authenticate).toBe('password');
  });

  it('an htpasswd file that others can read is a warning, one of a group is not', async () => {
    fixture.write('htpasswd', fixture.read('htpasswd'), 0o644);
    expect((await load(`${TLS}htpasswd_file: htpasswd\n`)).said).toContain(
      '"htpasswd" can be read by every user of this machine',
    );
    fixture.write('htpasswd', fixture.read('htpasswd'), 0o640);
    expect((await load(`${TLS}htpasswd_file: htpasswd\n`)).said).toBe('');
  });
});

describe('upstreams', () => {
  it('get their secrets from files', async () => {
    const { upstreams } = await configOf(`authenticate: none
upstreams:
  - {url: "http://127.0.0.1:9090", authorization: {credentials_file: token}}
  - {url: "http://127.0.0.1:9091/base/", path_prefix: /b, basic_auth: {username: u, password_file: password}}
`);
    expect(upstreams[0]?.authorization).toEqual({ kind: 'header', value: 'Bearer aVerySecretToken' });
    const basic = Buffer.from('u:a very secret password').toString('base64');
    expect(upstreams[1]).toMatchObject({
      name: 'http://127.0.0.1:9091/base',
      basePath: '/base',
      authorization: { kind: 'header', value: `Basic ${basic}` },
    });
  });

  it('that send credentials in the clear are a warning', async () => {
    const { result, said } = await load(
      'authenticate: none\nupstreams: [{url: "http://prometheus.example.com", authorization: {credentials_file: token}}]\n',
    );
    expect(result.ok).toBe(true);
    expect(said).toContain('warning: authorization goes over the network in the clear');
  });
});

describe('addresses', () => {
  it('of the command line replace those of the file, and are judged in their place', async () => {
    const config = await configOf('', { listenAddresses: ['127.0.0.1:0'] });
    expect(config.listen).toMatchObject([{ host: '127.0.0.1', port: 0 }]);
    const { result, said } = await load('', { listenAddresses: ['0.0.0.0:1', 'nonsense'] });
    expect(result.ok).toBe(false);
    expect(said).toContain('promgate.yml: error: --web.listen-address "0.0.0.0:1" is open to the network');
    expect(said).toContain('--web.listen-address "nonsense": no port');
  });

  it('in allow may be host names', async () => {
    const { access } = await configOf('authenticate: none\nallow: [10.0.0.0/8, Master.example.com]\n');
    expect(access.allowHosts).toEqual(['master.example.com']);
    expect(access.allow?.has('10.1.2.3')).toBe(true);
    expect(access.allow?.has('11.1.2.3')).toBe(false);
  });
});

describe('identities', () => {
  it('name certificates by type, and a san by what it looks like', async () => {
    const { identities } = await configOf(`${TLS}  client_ca_file: client-ca.crt
htpasswd_file: htpasswd
authenticate: either
identities:
  - {name: prom}
  - name: certificates
    certificates: [{san: A.example.com}, {san: "*.b.example.com"}, {san: "2001:DB8::1"}, {san: ops@example.com}, {san: "spiffe://a/b"}, {cn: X}]
    allow_from: [192.0.2.0/24]
    paths: ["@query", /metrics, /api/*]
`);
    expect(identities?.[0]).toMatchObject({
      name: 'prom',
      passwordUsers: ['prom'],
      certificates: [],
      allowFrom: null,
      paths: null,
    });
    expect(identities?.[1]?.passwordUsers).toEqual([]);
    expect(identities?.[1]?.certificates).toEqual([
      { by: 'dns', value: 'a.example.com', wildcard: false },
      { by: 'dns', value: 'b.example.com', wildcard: true },
      { by: 'ip', value: '2001:db8::1', wildcard: false },
      { by: 'email', value: 'ops@example.com', wildcard: false },
      { by: 'uri', value: 'spiffe://a/b', wildcard: false },
      { by: 'cn', value: 'X' },
    ]);
    expect(identities?.[1]?.allowFrom?.has('192.0.2.9')).toBe(true);
    expect([...(identities?.[1]?.paths?.classes ?? [])]).toEqual(['query']);
    expect(identities?.[1]?.paths?.patterns.map(({ text }) => text)).toEqual(['/metrics', '/api/*']);
  });
});

describe('users and identities that miss each other', () => {
  const text = `${TLS}htpasswd_file: htpasswd\nidentities: [{name: prom}]\n`;

  it('are warnings: a user whom no identity claims', async () => {
    const { result, said } = await load(text);
    expect(result.ok).toBe(true);
    expect(said).toContain('warning: the user "second" matches no identity and will always be refused (403)');
    expect(said).not.toContain('"prom" matches');
  });

  it('are counted beyond the first five', async () => {
    const hash = htpasswdLine('u', 'p').split(':')[1] ?? '';
    fixture.write('htpasswd', ['prom', 'a', 'b', 'c', 'd', 'e', 'f', 'g'].map((user) => `${user}:${hash}\n`).join(''));
    const { said } = await load(text);
    expect(said.match(/match(?:es)? no identity/g)).toHaveLength(1);
    expect(said).toContain('warning: the users "a", "b", "c", "d", "e" and 2 more match no identity');
  });

  it('are warnings: an identity whose user was removed', async () => {
    fixture.write('htpasswd', `${htpasswdLine('prom', 'x')}\n`);
    const { result, said } = await load(`${TLS}htpasswd_file: htpasswd\nidentities: [{name: prom}, {name: second}]\n`);
    expect(result.ok).toBe(true);
    expect(said).toContain('warning: the identity has no credentials, and there is no user "second"');
  });
});

describe('the admin address', () => {
  it('beyond loopback is a warning that says what answers there', async () => {
    const text = 'authenticate: none\nadmin_address:';
    expect((await load(`${text} "[::1]:9096"\n`)).said).toBe('');
    const { result, said } = await load(`${text} 0.0.0.0:9096\n`);
    expect(result.ok).toBe(true);
    expect(said).toContain(
      'warning: admin_address "0.0.0.0:9096" is open to the network: GET /metrics, /-/healthy and',
    );
  });
});

describe('a list that narrows', () => {
  it.each([
    ['allow', 'authenticate: none\nallow:\n'],
    ['identities', 'listen_addresses: [127.0.0.1:9095]\nhtpasswd_file: htpasswd\nidentities:\n# - {name: prom}\n'],
    ['paths', 'listen_addresses: [127.0.0.1:9095]\nhtpasswd_file: htpasswd\nidentities: [{name: prom, paths: }]\n'],
    [
      'allow_from',
      'listen_addresses: [127.0.0.1:9095]\nhtpasswd_file: htpasswd\nidentities: [{name: prom, allow_from: ~}]\n',
    ],
  ])('does not admit everything when every line of %s is commented out', async (key, text) => {
    const { result, said } = await load(text);
    expect(result.ok).toBe(false);
    expect(said).toContain(`error: ${key} is empty`);
  });
});

describe('TLS settings', () => {
  it('map the names of Go to those of OpenSSL, in order', async () => {
    const { tls } =
      await configOf(`authenticate: none\n${TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]
  curve_preferences: [X25519, CurveP384]
`);
    expect(tls?.settings.ciphers).toEqual(['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES256-SHA']);
    expect(tls?.settings.curves).toEqual(['X25519', 'secp384r1']);
  });

  it('with nothing but suites of TLS 1.3 leave TLS 1.2 out', async () => {
    const { tls } = await configOf(
      `authenticate: none\n${TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256]\nhttp_server_config: {http2: false}\n`,
    );
    expect(tls?.settings).toMatchObject({ minVersion: 'TLSv1.3', ciphers: null });
  });

  it('below TLS 1.2 are raised, with a warning', async () => {
    const { result, said } = await load(`authenticate: none\n${TLS}  min_version: TLS10\n`);
    expect(said).toContain('warning: min_version is TLS10, TLS12 is used');
    expect(result.ok && result.config.tls?.settings.minVersion).toBe('TLSv1.2');
  });
});

describe('the rate limit', () => {
  it('is a Go duration, or a number of nanoseconds', async () => {
    expect((await configOf('authenticate: none\nrate_limit: {interval: 1.5s, burst: 3}\n')).rateLimit).toEqual({
      intervalMs: 1500,
      burst: 3,
    });
    expect((await configOf('authenticate: none\nrate_limit: {interval: 0, burst: 3}\n')).rateLimit).toBeNull();
    expect((await load('authenticate: none\nrate_limit: {interval: 20}\n')).said).toContain(
      'a number without a unit is one of nanoseconds',
    );
  });
});

describe('the hash', () => {
  it('is that of the configuration, not of its layout, its secrets or its own certificates', async () => {
    const hash = async (text: string) => (await configOf(text)).hash;
    const base = await hash(`${TLS}htpasswd_file: htpasswd\n`);
    expect(base).toMatch(/^[0-9a-f]{12}$/);
    expect(await hash(`# a comment\nhtpasswd_file:   "htpasswd"\n${TLS}listen_addresses: [":9095"]\n`)).toBe(base);
    expect(await hash(`${TLS}htpasswd_file: htpasswd\naccess_log: true\n`)).not.toBe(base);
    fixture.write('htpasswd', `${htpasswdLine('prom', 'new')}\n${htpasswdLine('second', 'new')}\n`);
    expect(await hash(`${TLS}htpasswd_file: htpasswd\n`)).toBe(base);
    fixture.write('htpasswd', `${htpasswdLine('prom', 'new')}\n`);
    expect(await hash(`${TLS}htpasswd_file: htpasswd\n`)).not.toBe(base);
  });
});

describe('files', () => {
  it('that were read are listed with their groups', async () => {
    const config = await configOf(`${MTLS}  client_crl_files: [client-ca.crl]\nhtpasswd_file: htpasswd\n`);
    const listed = config.files.map(({ path, source }) => `${source} ${path.replace(`${fixture.directory}/`, '')}`);
    expect(listed).toEqual([
      'config promgate.yml',
      'certificate server.crt',
      'certificate server.key',
      'client_ca client-ca.crt',
      'client_ca client-ca.crl',
      'htpasswd htpasswd',
    ]);
  });

  it('larger than 16 MiB are refused', async () => {
    fixture.write('htpasswd', Buffer.alloc(16 * 1024 * 1024 + 1, '#').toString());
    expect((await load(`${TLS}htpasswd_file: htpasswd\n`)).said).toContain('error: "htpasswd" is larger than 16 MiB');
  });

  it('a configuration that does not exist is a problem, not an exception', async () => {
    const result = await loadConfig('nowhere/promgate.yml', { generation: 1 });
    expect(result).toMatchObject({ ok: false, text: '' });
    expect(renderProblems(result.problems, 'nowhere/promgate.yml', '')).toBe(
      [
        `nowhere/promgate.yml: error: "nowhere/promgate.yml" does not exist: looked for ${resolve('nowhere/promgate.yml')}`,
        '   hint: `promgate init` writes one, and relative names are relative to the working directory',
      ].join('\n'),
    );
  });
});
