/**
 * A fleet of two gates: the one that has the CA publishes its revocation list, the other one fetches it. Whoever is
 * revoked at the one is refused at the other, also on a connection that is open.
 */
import { stat, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAuthorityHost, type AuthorityHost } from '../support/authority-host.ts';
import { curl } from '../support/curl.ts';
import { startGate, type Gate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';

let host: AuthorityHost;
let central: Gate;
let site: Gate;

const certs = (name: string): string => host.certs(name);
const read = (name: string): string => readFileSync(certs(name), 'utf8');

const pki = (...argv: readonly string[]): Promise<string> => host.pki(...argv);

const siteConfig = (): Parameters<typeof startGate>[0] => ({
  files: {
    'server.crt': read('localhost.crt'),
    'server.key': read('localhost.key'),
    'client-ca.crt': read('ca.crt'),
  },
  config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
authenticate: certificate
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: client-ca.crt
  client_crl_files: [client-ca.crl]
crl:
  fetch:
    - {url: "${central.url}", file: client-ca.crl, ca_file: client-ca.crt, interval: 1s}
upstreams: [{url: self, kind: exporter}]
`,
});

beforeAll(async () => {
  host = await createAuthorityHost();
  for (const name of ['a', 'b', 'c']) await pki('issue', 'client', name);
  central = await host.startGate(`
crl: {publish: true}
upstreams: [{url: self, kind: exporter}]
`);
  site = await startGate(siteConfig());
});
afterAll(async () => {
  await site.stop();
  await central.stop();
  await host.remove();
});

const ask = (gate: Gate, name: string | null, path = '/metrics') =>
  curl(
    ...['--cacert', certs('ca.crt'), `${gate.url}${path}`],
    ...(name === null ? [] : ['--cert', certs(`${name}.crt`), '--key', certs(`${name}.key`)]),
  );
const revoked = (gate: Gate, name: string): Promise<unknown> =>
  poll(`${name} is refused`, async () => (await ask(gate, name)).status !== 200, { deadlineMs: 20_000 });

it('gives the list to whoever may connect, and nothing else without a certificate', async () => {
  const list = await ask(central, null, '/-/promgate/crl');
  expect(list.status).toBe(200);
  expect(list.body).toBe(read('ca.crl'));
  expect((await ask(central, null)).status).toBe(401);
  expect((await ask(central, null, '/-/promgate/crl/')).status).toBe(401);
  const posted = await curl('--cacert', certs('ca.crt'), '-d', 'x', `${central.url}/-/promgate/crl`);
  expect(posted.status).toBe(401);
  // A gate that does not publish has no such path: the connection ends before HTTP.
  expect((await ask(site, null, '/-/promgate/crl')).status).not.toBe(200);
});

it('fetches the list before it serves, where it has none yet', async () => {
  expect(site.logs()).toContain('fetched the first revocation list');
  expect(await readFile(join(site.directory, 'client-ca.crl'), 'utf8')).toBe(read('ca.crl'));
  expect((await ask(site, 'a')).status).toBe(200);
});

it('refuses at the one gate who was revoked at the other, and lets the others in', async () => {
  expect((await ask(site, 'a')).status).toBe(200);
  await pki('revoke', 'a');
  await revoked(site, 'a');
  expect((await ask(site, 'b')).status).toBe(200);
  expect(await site.metrics()).toMatch(
    /promgate_crl_fetched_timestamp_seconds\{file="[^"]+client-ca\.crl"\} 1[\d.]+e?/,
  );
});

it('keeps the last good list while the gate with the CA is down, says so, and goes on when it is back', async () => {
  // What is fetched is replaced by rename and only when it is newer.
  const before = await stat(join(site.directory, 'client-ca.crl'));
  central.process.signal('SIGSTOP');
  try {
    await pki('revoke', 'b');
    expect((await ask(site, 'b')).status).toBe(200);
    await revoked(site, 'a');
    await poll('the failure is told', () => site.logs().includes('a revocation list was not fetched'), {
      deadlineMs: 30_000,
    });
    expect((await stat(join(site.directory, 'client-ca.crl'))).ino).toBe(before.ino);
    expect(await site.metrics()).toMatch(/promgate_crl_fetches_total\{outcome="failed"\} [1-9]/);
  } finally {
    central.process.signal('SIGCONT');
  }
  await revoked(site, 'b');
  expect((await ask(site, 'c')).status).toBe(200);
});

it('does not start without a list that it can neither find nor fetch', async () => {
  const alone = siteConfig();
  const start = startGate({
    ...alone,
    config: (ports) => alone.config(ports).replace(central.url, 'https://127.0.0.1:1'),
  });
  await expect(start).rejects.toThrow(/the first revocation list was not fetched[^]*client-ca\.crl.*does not exist/);
});

it('says in check what does not fit', async () => {
  const file = join(site.directory, 'other.yml');
  const text = await readFile(site.configFile, 'utf8');
  await writeFile(file, text.replace('  client_crl_files: [client-ca.crl]\n', ''));
  const found = await site.command('check', file);
  const said = found.stdout + found.stderr;
  expect(found.code).toBe(1);
  expect(said).toContain('"client-ca.crl" is fetched, but no client is judged by it');
  expect(said).toContain('the client CA has no revocation list: no client can be revoked');
});
