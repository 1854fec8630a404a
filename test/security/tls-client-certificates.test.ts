/**
 * Attack: get in with a certificate that the configured CA has not signed for clients, has signed and revoked, or that
 * is over; or by a server name whose context trusts somebody else; or with the session of another day.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Tls } from '../../src/config/config.ts';
import type { PresentedCertificate } from '../../src/request/connection.ts';
import { configOf, dialTls, GET, startRig, tlsOf, type Rig } from '../listen/harness.ts';
import { createAuthority, type Authority, type Issued } from '../support/certificates.ts';
import { poll } from '../support/poll.ts';

const HOUR_MS = 3_600_000;
let authority: Authority;
let stranger: Authority;
let server: Issued;
let second: Issued;
let client: Issued;
let revoked: Issued;
const rigs: Rig[] = [];

beforeAll(() => {
  authority = createAuthority();
  stranger = createAuthority('Stranger CA');
  server = authority.issue({ name: 'gate', sans: ['DNS:localhost'] });
  second = authority.issue({ name: 'second', sans: ['DNS:second.example', 'DNS:*.wild.example'] });
  client = authority.issue({
    name: 'master',
    sans: ['DNS:master.example', 'URI:spiffe://x/master'],
    purpose: 'client',
  });
  revoked = authority.issue({ name: 'former', purpose: 'client' });
  authority.revoke(revoked);
});
afterAll(() => {
  authority.remove();
  stranger.remove();
});
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.listener.close();
});

async function start(tls: Tls): Promise<Rig> {
  const rig = await startRig(configOf({ tls }));
  rigs.push(rig);
  return rig;
}

function verifying(changes: { readonly crl?: string } = {}): Tls {
  return tlsOf([server, second], { type: 'RequireAndVerifyClientCert', ca: [authority.cert], ...changes });
}

/** What the gate writes down of a client that shows this. */
async function shown(rig: Rig, options: ConnectionOptions): Promise<PresentedCertificate | null> {
  const before = rig.facts.length;
  const dialled = await dialTls(rig.port, options);
  const facts = await poll('the facts', () => rig.facts[before]);
  dialled.socket.destroy();
  return facts.tls!.certificate;
}

describe('facts of a client certificate', () => {
  test('a verified one has names, serial and the chain to its anchor', async () => {
    const rig = await start(verifying());
    const certificate = await shown(rig, client);
    expect(certificate).toMatchObject({
      commonName: 'master',
      sans: { dns: ['master.example'], uri: ['spiffe://x/master'], email: [], ip: [] },
      verifyError: null,
    });
    expect(certificate?.chain).toHaveLength(2);
    expect(certificate?.chain[0]?.serial).toBe(certificate?.serial);
    expect(rig.facts[0]?.tls?.certificateRequested).toBe(true);
  });

  test('an intermediate that only the client sends is in the chain', async () => {
    const rig = await start(verifying());
    const below = authority.intermediate('Issuing CA').issue({ name: 'below', purpose: 'client' });
    const certificate = await shown(rig, below);
    expect(certificate).toMatchObject({ commonName: 'below', verifyError: null });
    expect(certificate?.chain).toHaveLength(3);
  });

  test.each<[string, () => ConnectionOptions, string | null]>([
    ['nothing', () => ({}), null],
    ['unknown CA', () => stranger.issue({ name: 'master', purpose: 'client' }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    [
      'expired',
      () => authority.issue({ name: 'old', purpose: 'client', notBefore: hours(-2), notAfter: hours(-1) }),
      'CERT_HAS_EXPIRED',
    ],
    [
      'not yet valid',
      () => authority.issue({ name: 'early', purpose: 'client', notBefore: hours(1), notAfter: hours(2) }),
      'CERT_NOT_YET_VALID',
    ],
    ['made for servers', () => authority.issue({ name: 'wrong', purpose: 'server' }), 'INVALID_PURPOSE'],
  ])('%s', async (_name, options, verifyError) => {
    const rig = await start(verifying());
    const certificate = await shown(rig, options());
    if (verifyError === null) expect(certificate).toBeNull();
    else expect(certificate).toMatchObject({ verifyError, chain: [] });
  });

  test('revoked', async () => {
    const rig = await start(verifying({ crl: authority.crl().pem }));
    expect(await shown(rig, revoked)).toMatchObject({ verifyError: 'CERT_REVOKED', chain: [] });
    expect(await shown(rig, client)).toMatchObject({ verifyError: null });
  });

  test('under an expired CRL nobody is verified', async () => {
    const rig = await start(verifying({ crl: authority.crl({ thisUpdate: hours(-2), nextUpdate: hours(-1) }).pem }));
    expect(await shown(rig, client)).toMatchObject({ verifyError: 'CRL_HAS_EXPIRED', chain: [] });
  });

  test('where none is asked for none is written down', async () => {
    const rig = await start(tlsOf([server]));
    expect(await shown(rig, client)).toBeNull();
    expect(rig.facts[0]?.tls?.certificateRequested).toBe(false);
  });
});

test('a connection that is judged unacceptable is destroyed before one byte of HTTP', async () => {
  const rig = await start(verifying());
  rig.answers.judge = ({ tls }) => (tls?.certificate?.verifyError === null ? null : 'certificate_missing');
  const dialled = await dialTls(rig.port);
  dialled.socket.write(GET);
  await dialled.closed;
  expect(dialled.received()).toBe('');
  expect(rig.requests).toEqual([]);
  expect(rig.refused).toEqual(['certificate_missing']);
  expect(rig.lines).toMatchObject([
    { level: 'info', fields: { reason: 'certificate_missing', address: '127.0.0.1', connection: 1 } },
  ]);
});

describe('server names', () => {
  test.each([
    ['localhost', 'gate'],
    ['second.example', 'second'],
    ['a.wild.example', 'second'],
    ['unknown.example', 'gate'],
  ])('%s is served by the certificate of %s', async (servername, name) => {
    const rig = await start(verifying());
    const dialled = await dialTls(rig.port, { servername });
    expect(dialled.socket.getPeerCertificate().subject.CN).toBe(name);
    dialled.socket.destroy();
  });

  test.each([
    ['localhost', 'a CA'],
    ['second.example', 'a CA'],
    ['localhost', 'no CA'],
    ['second.example', 'no CA'],
  ])("%s with %s does not verify clients against the system's roots", async (servername, trusted) => {
    const ca = trusted === 'a CA' ? [authority.cert] : [];
    // The stranger's CA stands for a public one: it is a root of the process, as the system's roots are by default.
    const script = `
      import { startRig, configOf, tlsOf, dialTls } from ${JSON.stringify(new URL('../listen/harness.ts', import.meta.url).href)};
      const [server, second, client, ca] = JSON.parse(process.argv[1]);
      const rig = await startRig(configOf({ tls: tlsOf([server, second], { type: 'VerifyClientCertIfGiven', ca }) }));
      await dialTls(rig.port, { ...client, servername: ${JSON.stringify(servername)} });
      while (rig.facts.length === 0) await new Promise(setImmediate);
      console.log(rig.facts[0].tls.servername, rig.facts[0].tls.certificate.verifyError);
      process.exit();
    `;
    const publicClient = stranger.issue({ name: 'public', purpose: 'client' });
    const pairs = JSON.stringify([server, second, publicClient, ca]);
    const argv = ['--import', 'tsx', '--input-type=module', '-e', script, pairs];
    const environment = { ...process.env, NODE_EXTRA_CA_CERTS: stranger.certFile };
    const child = spawn(process.execPath, argv, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await once(child, 'close');
    expect(output.trim()).toBe(`${servername} SELF_SIGNED_CERT_IN_CHAIN`);
  });
});

describe('sessions of another day', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s does not resume where clients show certificates', async (version) => {
    expect(await resumes(version, verifying())).toBe(false);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s resumes elsewhere, so the test above means something',
    async (version) => {
      expect(await resumes(version, tlsOf([server]))).toBe(true);
    },
  );

  test('a session does not outlive a change of the TLS configuration', async () => {
    const rig = await start(tlsOf([server]));
    const session = await sessionOf(rig, { maxVersion: 'TLSv1.2' });
    rig.listener.apply(configOf({ generation: 2, tls: tlsOf([server]) }));
    const again = await dialTls(rig.port, { maxVersion: 'TLSv1.2', session });
    expect(again.socket.isSessionReused()).toBe(false);
    again.socket.destroy();
  });
});

test('renegotiation is refused, the first already', async () => {
  const rig = await start(tlsOf([server]));
  const dialled = await dialTls(rig.port, { maxVersion: 'TLSv1.2' });
  const renegotiated = new Promise<boolean>((resolve) => {
    dialled.socket.renegotiate({ rejectUnauthorized: false }, (error) => {
      resolve(error === null);
    });
    void dialled.closed.then(() => {
      resolve(false);
    });
  });
  expect(await renegotiated).toBe(false);
});

async function sessionOf(rig: Rig, options: ConnectionOptions): Promise<Buffer> {
  const first = await dialTls(rig.port, options);
  let session: Buffer | undefined = first.socket.getSession();
  first.socket.on('session', (fresh: Buffer) => {
    session = fresh;
  });
  first.socket.write(GET);
  await poll('an answer', () => first.received().includes('200 OK'));
  first.socket.destroy();
  return session!;
}

async function resumes(version: 'TLSv1.2' | 'TLSv1.3', tls: Tls): Promise<boolean> {
  const rig = await start(tls);
  const options = { ...client, minVersion: version, maxVersion: version };
  const session = await sessionOf(rig, options);
  const again = await dialTls(rig.port, { ...options, session });
  const reused = again.socket.isSessionReused();
  again.socket.destroy();
  return reused;
}

function hours(count: number): Date {
  return new Date(Date.now() + count * HOUR_MS);
}
