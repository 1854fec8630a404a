/**
 * The attack: a client whose certificate was revoked stays in, because the new revocation list is not applied. Somebody
 * had removed a password user whom an identity still named; from then on every reload of certificates, CAs and CRLs failed
 * with it, and so did the next start.
 */
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createReloader } from '../../src/config/reloader.ts';
import type { Reloader } from '../../src/config/reloader.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createConfigFixture, htpasswdLine } from '../config/config-fixture.ts';
import type { ConfigFixture } from '../config/config-fixture.ts';

const YAML = `tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: client-ca.crt
  client_crl_files: [client-ca.crl]
htpasswd_file: htpasswd
authenticate: either
identities: [{name: admin}, {name: prom}]
`;

let fixture: ConfigFixture;
let reloader: Reloader | null;

beforeEach(() => {
  fixture = createConfigFixture();
  fixture.write('htpasswd', `${htpasswdLine('admin', 'x')}\n${htpasswdLine('prom', 'y')}\n`);
});

afterEach(() => {
  reloader?.close();
  fixture.remove();
});

async function start(): Promise<Reloader> {
  const result = await loadConfig(fixture.write('promgate.yml', YAML), { generation: 1 });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const none = () => undefined;
  reloader = createReloader({
    initial: result.loaded,
    options: {},
    apply: none,
    metrics: { reloaded: none },
    log: { info: none, warn: none, error: none },
    clock: createFakeClock(Date.now()),
    watch: null,
  });
  return reloader;
}

function removeAdmin(): void {
  fixture.write('htpasswd', `${htpasswdLine('prom', 'y')}\n`);
}

function revokeSomebody(): string {
  const issued = fixture.clientCa.issue({ name: 'laptop' });
  fixture.clientCa.revoke(issued);
  return fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 50 }).pem);
}

const crlNumber = (running: Reloader) => running.current().tls?.trust.crls[0]?.number;

describe('a user who was removed and whom an identity still names', () => {
  it('holds back no revocation, neither at once nor later', async () => {
    const running = await start();
    removeAdmin();
    expect((await running.reload('a test')).ok).toBe(true);
    revokeSomebody();
    expect((await running.reload('a test')).ok).toBe(true);
    expect(crlNumber(running)).toBe(50n);
  });

  it('holds back no revocation while the YAML or another group is broken, and is told once', async () => {
    const running = await start();
    removeAdmin();
    revokeSomebody();
    rmSync(fixture.path('server.key'));
    const { ok, problems } = await running.reload('a test');
    expect(ok).toBe(false);
    expect(crlNumber(running)).toBe(50n);
    expect([...running.current().users.keys()]).toEqual(['prom']);
    expect(problems.match(/there is no user "admin"/g)).toHaveLength(1);
    fixture.write('promgate.yml', 'not: [yaml');
    fixture.write('client-ca.crl', fixture.clientCa.crl({ number: 51 }).pem);
    expect((await running.reload('a test')).ok).toBe(false);
    expect(crlNumber(running)).toBe(51n);
  });

  it('is a warning at the next start', async () => {
    removeAdmin();
    const result = await loadConfig(fixture.write('promgate.yml', YAML), { generation: 1 });
    expect(result.ok).toBe(true);
    expect(result.problems.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      'warning: the identity has no credentials, and there is no user "admin"',
    ]);
  });
});
