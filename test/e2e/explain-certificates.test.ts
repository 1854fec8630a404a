/** `promgate explain --certificate` of client certificates that are refused: the reason is the one that the gate logs. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DenyReason } from '../../src/request/deny-reasons.ts';
import { createAuthority } from '../support/certificates.ts';
import type { Authority, IssueOptions, Issued } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';

const HOUR_MS = 3_600_000;

let ours: Authority;
let theirs: Authority;
let gate: Gate;
const shown = new Map<string, Issued>();

beforeAll(async () => {
  ours = createAuthority('ours');
  theirs = createAuthority('theirs');
  const issue = (by: Authority, options: Partial<IssueOptions> = {}): Issued =>
    by.issue({ name: 'central', sans: ['DNS:central'], purpose: 'client', ...options });
  const now = Date.now();
  const past = { notBefore: new Date(now - 3 * HOUR_MS), notAfter: new Date(now - HOUR_MS) };
  const future = { notBefore: new Date(now + HOUR_MS), notAfter: new Date(now + 3 * HOUR_MS) };
  shown.set('good', issue(ours));
  shown.set('revoked', issue(ours, { name: 'revoked' }));
  shown.set('expired', issue(ours, { name: 'expired', ...past }));
  shown.set('not yet valid', issue(ours, { name: 'early', ...future }));
  shown.set('for servers', issue(ours, { name: 'server', purpose: 'server' }));
  shown.set('of another CA', issue(theirs));
  shown.set('with another name', issue(ours, { name: 'other', sans: ['DNS:other'] }));
  const revoked = shown.get('revoked');
  if (revoked !== undefined) ours.revoke(revoked);
  const server = ours.issue({ name: 'localhost', sans: ['DNS:localhost', 'IP:127.0.0.1'], purpose: 'server' });
  gate = await startGate({
    files: {
      'server.crt': server.cert,
      'server.key': server.key,
      'ca.crt': ours.cert,
      'ca.crl': ours.crl().pem,
    },
    config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
authenticate: certificate
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_crl_files: [ca.crl]
  client_allowed_sans: [central]
upstreams: [{url: self, kind: exporter}]
`,
  });
});
afterAll(async () => {
  await gate.stop();
  ours.remove();
  theirs.remove();
});

function filesOf(name: string): Issued {
  const issued = shown.get(name);
  if (issued === undefined) throw new Error(`no certificate ${name}`);
  return issued;
}

const explain = (...argv: string[]) =>
  gate.command('explain', `--config.file=${gate.configFile}`, '--from=127.0.0.1', ...argv, 'GET', '/metrics');
const ask = (...argv: string[]) => curl('--cacert', ours.certFile, '-4', ...argv, `${gate.url}/metrics`);

test('one that is good is let through by both', async () => {
  const { certFile, keyFile } = filesOf('good');
  const told = await explain(`--certificate=${certFile}`);
  expect(told, told.stderr).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('it is certificate:') as unknown,
  });
  expect((await ask('--cert', certFile, '--key', keyFile)).status).toBe(200);
});

test.each<[string, DenyReason, string, string]>([
  ['revoked', 'certificate_revoked', 'is revoked', 'client_crl_files: [ca.crl]'],
  ['expired', 'certificate_expired', 'has expired', 'client_auth_type'],
  ['not yet valid', 'certificate_not_yet_valid', 'is not valid yet', 'client_auth_type'],
  ['for servers', 'certificate_wrong_purpose', 'is not for clients', 'client_auth_type'],
  ['of another CA', 'certificate_unknown_ca', 'is not of a CA in client_ca_file', 'client_ca_file: ca.crt'],
  ['with another name', 'certificate_san_not_allowed', 'has no name in client_allowed_sans', 'client_allowed_sans'],
])('one that is %s is refused by both, and for the same reason', async (name, reason, words, key) => {
  const { certFile, keyFile } = filesOf(name);
  const told = await explain(`--certificate=${certFile}`);
  expect(told, told.stderr).toMatchObject({ code: 1 });
  const lines = told.stdout.trimEnd().split('\n');
  expect(lines.at(-1)).toContain(`reason ${reason}:`);
  expect(lines.at(-2)).toContain(key);
  expect(told.stdout).toContain(words);
  // Nothing of HTTP reaches somebody who has shown such a certificate; the reason is in the log.
  expect((await ask('--cert', certFile, '--key', keyFile)).status).toBe(0);
  await poll('the line of the log', () => gate.logs().includes(`reason=${reason}`));
});

test('none at all is refused by both', async () => {
  const told = await explain();
  expect(told.code).toBe(1);
  expect(told.stdout).toContain('no client certificate is shown');
  expect((await ask()).status).toBe(0);
  await poll('the line of the log', () => gate.logs().includes('reason=certificate_missing'));
});
