/** `enrollment` beside a directory that can, or cannot, do what it is there for. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { encryptKey } from '../../src/tls/authority/keys.ts';
import { createConfigFixture } from './config-fixture.ts';
import type { ConfigFixture } from './config-fixture.ts';

const YAML = `tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: client-ca.crt, client_crl_files: [client-ca.crl]}
authenticate: certificate
enrollment: {authority: ".", renew: true}
`;

let fixture: ConfigFixture;
let key: string;
beforeEach(() => {
  fixture = createConfigFixture();
  key = readFileSync(join(fixture.clientCa.directory, 'ca.key'), 'utf8');
  fixture.write('ca.crt', fixture.clientCa.cert);
  fixture.write('ca.key', key);
});
afterEach(() => {
  fixture.remove();
});

async function warnings(): Promise<string[]> {
  const result = await loadConfig(fixture.write('promgate.yml', YAML), { generation: 1 });
  expect(result.ok).toBe(true);
  expect(result.problems.every(({ severity, path }) => severity === 'warning' && path?.[0] === 'enrollment')).toBe(
    true,
  );
  return result.problems.map(({ message }) => message);
}

it('is resolved beside the configuration, and says nothing when all is there', async () => {
  expect(await warnings()).toEqual([]);
  const result = await loadConfig(fixture.path('promgate.yml'), { generation: 1 });
  expect(result.ok && result.config.enrollment).toEqual({
    directory: fixture.directory,
    renew: true,
    renewServers: false,
  });
});

it('is off when it is not written, and without renewals when that is not written', async () => {
  const first = await loadConfig(fixture.write('promgate.yml', YAML.replace(/enrollment:.*\n/, '')), { generation: 1 });
  expect(first.ok && first.config.enrollment).toBeNull();
  const second = await loadConfig(fixture.write('promgate.yml', YAML.replace(', renew: true', '')), { generation: 1 });
  expect(second.ok && second.config.enrollment?.renew).toBe(false);
});

it('warns of a CA that is not there, whose key is elsewhere or has a passphrase', async () => {
  fixture.write('ca.key', encryptKey(key, 'a long passphrase'));
  expect(await warnings()).toEqual(['the key of the CA in "ca.key" has a passphrase: nobody can enroll']);
  rmSync(fixture.path('ca.key'));
  expect(await warnings()).toEqual(['the key of the CA is not in "ca.key": nobody can enroll']);
  rmSync(fixture.path('ca.crt'));
  expect(await warnings()).toEqual(['there is no certificate of a CA in "ca.crt": nobody can enroll']);
});

it('warns of a CA whose clients do not get in', async () => {
  fixture.write('ca.crt', fixture.read('server.crt'));
  expect(await warnings()).toEqual(['the CA in "ca.crt" is no client CA here: who enrolls does not get in']);
});
