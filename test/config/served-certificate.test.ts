/** `check` looks at the gate's own certificate as a Prometheus will; what every client refuses fails it, and only it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkCommand } from '../../src/cli/commands/check.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import type { IssueOptions } from '../support/certificates.ts';
import { recordingTerminal } from '../cli-unit/recording-terminal.ts';
import { createConfigFixture } from './config-fixture.ts';
import type { ConfigFixture } from './config-fixture.ts';

let fixture: ConfigFixture;
beforeEach(() => {
  fixture = createConfigFixture();
});
afterEach(() => {
  fixture.remove();
});

const YAML = 'tls_server_config: {cert_file: own.crt, key_file: own.key}\nauthenticate: none\nplain_http: false\n';

async function judge(cert: string, key: string): Promise<{ code: number; said: string; starts: boolean }> {
  fixture.write('own.crt', cert);
  fixture.write('own.key', key);
  const file = fixture.write('own.yml', YAML);
  const terminal = recordingTerminal();
  const code = await checkCommand([file], terminal);
  return { code, said: terminal.all(), starts: (await loadConfig(file, { generation: 1 })).ok };
}

const DAY = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * DAY);
const NAME = 'gate.example.com';
const SANS = [`DNS:${NAME}`];

it.each<{ what: string; issue: Partial<IssueOptions>; code: number; said: string | null }>([
  { what: 'a good one', issue: { sans: SANS, purpose: 'server', notAfter: inDays(90) }, code: 0, said: null },
  { what: 'one for both', issue: { sans: ['IP:10.0.0.1'], notAfter: inDays(90) }, code: 0, said: null },
  {
    what: 'one without a name',
    issue: { notAfter: inDays(90) },
    code: 1,
    said: 'a subject alternative name (DNS or IP)',
  },
  {
    what: 'one with an e-mail address only',
    issue: { sans: ['email:a@example.com'], notAfter: inDays(90) },
    code: 1,
    said: 'a subject alternative name (DNS or IP)',
  },
  {
    what: 'one for clients only',
    issue: { sans: SANS, purpose: 'client', notAfter: inDays(90) },
    code: 1,
    said: 'has no serverAuth',
  },
  {
    what: 'one that has expired',
    issue: { sans: SANS, notBefore: inDays(-9), notAfter: inDays(-1) },
    code: 1,
    said: 'expired at',
  },
  {
    what: 'one that is not valid yet',
    issue: { sans: SANS, notBefore: inDays(1), notAfter: inDays(90) },
    code: 1,
    said: 'is not valid before',
  },
  {
    what: 'one that ends soon',
    issue: { sans: SANS, notBefore: inDays(-60), notAfter: inDays(3) },
    code: 0,
    said: 'ends in',
  },
])('$what', async ({ issue, code, said }) => {
  const { cert, key } = fixture.clientCa.issue({ name: NAME, ...issue });
  const found = await judge(cert, key);
  expect(found.code, found.said).toBe(code);
  if (said !== null) expect(found.said).toContain(said);
  if (said !== null && code === 1) expect(found.said).toMatch(/error: .*\n[^]*hint: /);
  // The gate may mend it itself, and serves those who do not look.
  expect(found.starts).toBe(true);
});

it('a leaf whose issuer is to be had elsewhere, as public CAs say, and which does not come along', async () => {
  const { directory } = fixture.clientCa;
  const site = fixture.clientCa.intermediate('Site CA');
  const { cert, key, keyFile } = site.issue({ name: NAME, sans: SANS, notAfter: inDays(90) });
  expect((await judge(cert, key)).said).not.toContain('missing behind');
  const extensions = join(directory, 'aia.ext');
  fixture.write(
    'aia.ext',
    `subjectAltName=${SANS.join()}\nauthorityInfoAccess=caIssuers;URI:http://ca.example.com/site.crt\n`,
  );
  const openssl = (...argv: string[]): string => execFileSync('openssl', argv, { encoding: 'utf8', cwd: directory });
  openssl('req', '-new', '-key', keyFile, '-subj', `/CN=${NAME}`, '-out', 'aia.csr');
  const sign = ['x509', '-req', '-in', 'aia.csr', '-CA', join(site.directory, 'ca.pem'), '-days', '90'];
  const leaf = openssl(...sign, '-CAkey', join(site.directory, 'ca.key'), '-extfile', fixture.path('aia.ext'));
  expect(extensions).not.toBe('');
  const alone = await judge(leaf, key);
  expect(alone.said).toContain('the certificate of the issuer "CN=Site CA" is missing behind the own one');
  expect(alone.code).toBe(0);
  const siteCert = readFileSync(join(site.directory, 'ca.pem'), 'utf8');
  expect((await judge(leaf + siteCert, key)).said).not.toMatch(/missing behind|not that of its issuer/);
  expect((await judge(leaf + fixture.clientCa.cert, key)).said).toContain('is not that of its issuer "CN=Site CA"');
});

it('names that no public CA certifies, where a public one is asked; another CA may do as it likes', async () => {
  const check = async (acme: string): Promise<string> => {
    const terminal = recordingTerminal();
    await checkCommand([fixture.write('acme.yml', `acme: ${acme}\nauthenticate: none\n`)], terminal);
    return terminal.all();
  };
  for (const name of ['localhost', 'gate.local', 'gate', '192.168.1.2', 'gate.internal']) {
    expect(await check(`{domains: [${NAME}, ${name}]}`)).toContain('no public CA certifies it');
  }
  expect(await check(`{domains: [${NAME}]}`)).not.toContain('no public CA');
  expect(await check('{directory_url: "https://ca.internal/acme", domains: [gate.internal]}')).not.toContain(
    'no public CA',
  );
});

it('client CAs with more names than a handshake holds, with the figures', async () => {
  // Of one name each time: OpenSSL sends it as often.
  const { cert } = await createCa({ name: 'long name '.repeat(5), now: Date.now() });
  const check = async (count: number): Promise<string> => {
    fixture.write('many.crt', cert.repeat(count));
    const yaml = YAML.replace('}', ', client_ca_file: many.crt}')
      .replaceAll('own.', 'server.')
      .replace('none', 'certificate');
    const terminal = recordingTerminal();
    await checkCommand([fixture.write('many.yml', yaml)], terminal);
    return terminal.all();
  };
  expect(await check(1000)).toMatch(/error: the names of 1000 client CAs are \d{5} bytes: a handshake takes 65279/);
  expect(await check(100)).not.toContain('client CAs are');
});
