/** `init --client-ca`: a gate of a fleet, whose clients are certified elsewhere. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initCommand } from '../../src/cli/commands/init.ts';
import type { InitOptions } from '../../src/cli/commands/init.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { issueServer } from '../../src/tls/authority/issue.ts';
import type { CertificateAndKey } from '../../src/tls/authority/keys.ts';
import { createAuthority } from '../support/certificates.ts';
import { createInitFixture } from './init-fixture.ts';
import type { InitFixture } from './init-fixture.ts';
import { recordingTerminal } from './recording-terminal.ts';
import type { RecordingTerminal } from './recording-terminal.ts';

let f: InitFixture;
let fleet: CertificateAndKey;

beforeEach(async () => {
  f = createInitFixture();
  fleet = await createCa({ name: 'fleet', now: f.clock.now() });
  writeFileSync(f.path('fleet.pem'), fleet.cert + fleet.key);
});
afterEach(() => {
  f.remove();
});

const init = async (clientCa: string, more: Partial<InitOptions> = {}): Promise<RecordingTerminal> => {
  const terminal = recordingTerminal();
  const environment = { clock: f.clock, ...f.machine, probe: () => Promise.resolve(false) };
  expect(await initCommand({ directory: f.directory, clientCa, ...more }, terminal, environment)).toBe(0);
  return terminal;
};

describe('init --client-ca with a revocation list', () => {
  const list = (): string => {
    const authority = createAuthority('Fleet');
    writeFileSync(f.path('fleet.pem'), authority.cert);
    const { pem } = authority.crl();
    authority.remove();
    writeFileSync(f.path('fleet.crl'), pem);
    return pem;
  };

  it('copies it, names it, and writes from where it is fetched', async () => {
    const pem = list();
    const terminal = await init(f.path('fleet.pem'), {
      clientCrl: f.path('fleet.crl'),
      crlFrom: 'https://central.example.com:9095',
    });
    expect(f.text('certs', 'client-ca.crl')).toBe(pem);
    expect(terminal.stderr.join()).not.toContain('no client can be revoked');
    const result = await loadConfig(f.path('promgate.yml'), { generation: 1 });
    expect(result.problems.map(({ message }) => message).filter((text) => text.includes('revo'))).toEqual([]);
    expect(result.ok && result.config.crl.fetch).toMatchObject([
      { url: 'https://central.example.com:9095/-/promgate/crl', file: f.path('certs', 'client-ca.crl') },
    ]);
  });

  it('warns without one, and refuses that of another CA', async () => {
    list();
    await expect(init(f.path('fleet.pem'), { clientCrl: f.path('fleet.pem') })).rejects.toThrow('no CRL found');
    const other = createAuthority('Fleet');
    writeFileSync(f.path('other.crl'), other.crl().pem);
    other.remove();
    await expect(init(f.path('fleet.pem'), { clientCrl: f.path('other.crl') })).rejects.toThrow('not of --client-ca');
    await expect(init(f.path('fleet.pem'), { crlFrom: 'http://central' })).rejects.toMatchObject({ code: 'USAGE' });
    const terminal = await init(f.path('fleet.pem'));
    expect(terminal.stderr.join()).toContain('no client can be revoked');
  });
});

describe('init --client-ca', () => {
  it('trusts the given CA and makes no client certificate; a private key in the file is not copied', async () => {
    await init(f.path('fleet.pem'));
    expect(f.text('certs', 'client-ca.crt')).toBe(fleet.cert);
    expect(readdirSync(f.path('certs')).sort()).toEqual(
      ['ca.crt', 'ca.key', 'client-ca.crt', 'server.crt', 'server.key'].sort(),
    );
    const result = await loadConfig(f.path('promgate.yml'), { generation: 1, clock: f.clock });
    expect(result.ok && result.config.tls?.trust.ca).toEqual([fleet.cert]);
  });

  it('takes a server certificate of that CA as it is: then there is no own CA, and one ca_file for the centre', async () => {
    const server = await issueServer({ ca: fleet, names: ['site-a.example.com'], now: f.clock.now() });
    mkdirSync(f.path('certs'));
    writeFileSync(f.path('certs', 'server.crt'), server.cert);
    writeFileSync(f.path('certs', 'server.key'), server.key, { mode: 0o600 });
    const { stdout } = await init(f.path('fleet.pem'));
    expect(readdirSync(f.path('certs')).sort()).toEqual(['client-ca.crt', 'server.crt', 'server.key']);
    const said = stdout.join('\n');
    expect(said).toContain(`ca_file: ${JSON.stringify(f.path('certs', 'client-ca.crt'))}`);
    expect(said).toContain('targets: ["site-a.example.com:9095"]');
    expect(said).toContain('https://site-a.example.com:9095/');
  });

  it('is refused where there is a configuration, and for a file that holds no CA', async () => {
    const environment = { clock: f.clock, ...f.machine, probe: () => Promise.resolve(false) };
    const attempt = (clientCa: string) =>
      initCommand({ directory: f.directory, clientCa }, recordingTerminal(), environment);
    const leaf = await issueServer({ ca: fleet, names: ['a.example.com'], now: f.clock.now() });
    writeFileSync(f.path('leaf.crt'), leaf.cert);
    for (const file of ['leaf.crt', 'nothing.crt']) {
      await expect(attempt(f.path(file))).rejects.toMatchObject({ code: 'USAGE' });
    }
    expect(readdirSync(f.directory).sort()).toEqual(['fleet.pem', 'leaf.crt']);
    await init(f.path('fleet.pem'));
    await expect(attempt(f.path('fleet.pem'))).rejects.toMatchObject({ code: 'USAGE' });
  });
});
