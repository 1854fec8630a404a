/**
 * The attack: standing in the place of the gate when a client enrolls, to read its one-time token or to give it a
 * certificate and a CA of one's own. The client knows one thing, the fingerprint of the CA in the command that it was
 * given; showing that CA, which is no secret, must not be enough.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { enroll } from '../../src/cli/pki/enrollment.ts';
import type { EnrollOptions } from '../../src/cli/pki/enrollment.ts';
import { parseCertificates } from '../../src/formats/x509.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { PromgateError } from '../../src/lib/errors.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { certifyClient, issueClient, issueServer } from '../../src/tls/authority/issue.ts';
import type { CertificateAndKey } from '../../src/tls/authority/keys.ts';
import { importSigningKeys, generateKey } from '../../src/tls/authority/keys.ts';
import { readSigningRequest } from '../../src/tls/authority/signing-request.ts';
import { loadX509 } from '../../src/tls/authority/x509-library.ts';
import { recordingTerminal } from '../cli-unit/recording-terminal.ts';

const TOKEN = '0123456789abcdef0123456789abcdef';

let ca: CertificateAndKey;
let fakeCa: CertificateAndKey;
let directory: string;
const closers: (() => void)[] = [];

beforeAll(async () => {
  const now = Date.now();
  ca = await createCa({ name: 'fleet', now });
  // The same name: a certificate that it signs says that the true one has signed it.
  fakeCa = await createCa({ name: 'fleet', now });
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-impostor-'));
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  rmSync(directory, { recursive: true });
});

function fingerprintOf(pem: string): string {
  const certificates = parseCertificates(pem);
  const [certificate] = certificates.ok ? certificates.value : [];
  return certificate?.fingerprint ?? '';
}

function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`https://localhost:${String((server.address() as AddressInfo).port)}`);
    });
  });
}

/** What came as HTTP, headers and bodies. */
interface Heard {
  readonly requests: string[];
}

async function startServer(pair: CertificateAndKey, answer: RequestListener): Promise<Heard & { url: string }> {
  const requests: string[] = [];
  const server = createHttpsServer({ cert: pair.cert, key: pair.key }, (request, response) => {
    requests.push(JSON.stringify(request.headers));
    answer(request, response);
  });
  server.on('tlsClientError', () => undefined);
  return { requests, url: await listen(server) };
}

async function refusal(options: Partial<EnrollOptions> & { gate: string }): Promise<string> {
  const input = { isTerminal: false, read: () => Promise.resolve(TOKEN) };
  const terminal = recordingTerminal();
  try {
    await enroll(
      {
        directory,
        name: 'central',
        keyType: 'p256',
        caFingerprint: fingerprintOf(ca.cert),
        caFile: null,
        publicCa: false,
        ...options,
      },
      terminal,
      { clock: systemClock, hostName: 'centre', input },
    );
  } catch (error) {
    if (!(error instanceof PromgateError)) throw error;
    for (const name of ['crt', 'ca.crt', 'enrollment.json']) {
      expect(existsSync(join(directory, `central.${name}`))).toBe(false);
    }
    expect(terminal.all() + error.message + (error.hint ?? '')).not.toContain(TOKEN);
    return `${error.code}: ${error.message}`;
  }
  throw new Error(`it was taken in: ${terminal.all()}`);
}

const server = (issuer: CertificateAndKey, names: readonly string[] = ['localhost']) =>
  issueServer({ ca: issuer, names, now: Date.now() });
const never: RequestListener = (_request, response) => {
  response.end('no');
};

/** A leaf that names the true CA as its issuer and is signed by somebody else; it says nothing of the issuer's key. */
async function forgedLeaf(): Promise<CertificateAndKey> {
  const library = await loadX509();
  const key = generateKey();
  const [{ pair }, forger] = [await importSigningKeys(key), await importSigningKeys(fakeCa.key)];
  const certificate = await library.X509CertificateGenerator.create({
    subject: 'CN=localhost',
    issuer: new library.X509Certificate(ca.cert).subjectName,
    serialNumber: '01',
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    publicKey: pair.publicKey,
    signingKey: forger.pair.privateKey,
    signingAlgorithm: forger.signing,
    extensions: [new library.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
  });
  return { cert: `${certificate.toString('pem')}\n`, key };
}

describe('an impostor hears nothing', () => {
  it('who shows a CA of the same name', async () => {
    const { cert, key } = await server(fakeCa);
    const fake = await startServer({ cert: cert + fakeCa.cert, key }, never);
    expect(await refusal({ gate: fake.url })).toMatch(
      /^ENROLLMENT_REFUSED: .* does not show the CA of --ca-fingerprint/,
    );
    expect(fake.requests).toEqual([]);
  });

  it('who shows the true CA behind a certificate that it has not signed', async () => {
    const { cert, key } = await forgedLeaf();
    const fake = await startServer({ cert: cert + ca.cert, key }, never);
    expect(await refusal({ gate: fake.url })).toMatch(/cannot be verified \(.*nothing was sent$/);
    expect(fake.requests).toEqual([]);
  });

  it('who has a true certificate for another name', async () => {
    const { cert, key } = await server(ca, ['other.example.com']);
    const fake = await startServer({ cert: cert + ca.cert, key }, never);
    expect(await refusal({ gate: fake.url })).toMatch(/shows a certificate for other names; nothing was sent$/);
    expect(fake.requests).toEqual([]);
  });

  it('who is a client of the true CA, and shows its certificate as a server', async () => {
    const sans = [{ type: 'dns' as const, value: 'localhost' }];
    const { cert, key } = await issueClient({ ca, name: 'localhost', sans, now: Date.now() });
    const fake = await startServer({ cert: cert + ca.cert, key }, never);
    expect(await refusal({ gate: fake.url })).toMatch(/cannot be verified \(INVALID_PURPOSE\); nothing was sent$/);
    expect(fake.requests).toEqual([]);
  });

  it('whose leaf itself has the fingerprint: it is no CA', async () => {
    const pair = await server(ca);
    const fake = await startServer(pair, never);
    expect(await refusal({ gate: fake.url, caFingerprint: fingerprintOf(pair.cert) })).toMatch(/does not show the CA/);
    expect(fake.requests).toEqual([]);
  });

  it('where the client verifies by a CA file or by the CAs of the system', async () => {
    const { cert, key } = await server(ca);
    const fake = await startServer({ cert: cert + ca.cert, key }, never);
    expect(await refusal({ gate: fake.url, publicCa: true })).toMatch(/cannot be verified \(/);
    writeFileSync(join(directory, 'other.crt'), fakeCa.cert);
    expect(await refusal({ gate: fake.url, caFile: join(directory, 'other.crt') })).toMatch(/cannot be verified \(/);
    expect(fake.requests).toEqual([]);
  });

  it('who does not speak TLS', async () => {
    const url = await listen(createTcpServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n')));
    expect(await refusal({ gate: url })).toMatch(/^ENROLLMENT_REFUSED: .* cannot be reached: /);
  });

  it('and no address is asked that is not https, or has more in it than a host', async () => {
    for (const gate of [
      'http://localhost:1',
      'localhost:1',
      'https://a:b@localhost',
      'https://localhost/x',
      'file:///etc',
    ]) {
      expect(await refusal({ gate })).toMatch(/^USAGE: /);
    }
    expect(await refusal({ gate: 'https://localhost', caFingerprint: null })).toMatch(/^USAGE: --gate needs/);
    expect(await refusal({ gate: 'https://localhost', caFingerprint: 'ab:cd' })).toMatch(
      /^USAGE: --ca-fingerprint is not/,
    );
  });
});

describe('a true gate that answers wrongly', () => {
  type Make = (publicKey: Buffer, requestPem: string) => Promise<string>;
  const certify = async (issuer: CertificateAndKey, publicKey: Buffer): Promise<string> =>
    certifyClient({ ca: issuer, name: 'central', sans: [], days: 1, now: Date.now(), publicKey });

  async function answering(status: number, make: Make): Promise<string> {
    const { cert, key } = await server(ca);
    const gate = await startServer({ cert: cert + ca.cert, key }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const pem = Buffer.concat(chunks).toString();
        void readSigningRequest(pem)
          .then((publicKey) => make(publicKey, pem))
          .then((body) => response.writeHead(status).end(body));
      });
    });
    return refusal({ gate: gate.url });
  }

  it.each<[what: string, says: RegExp, make: Make]>([
    ['nothing', /answered with what is no certificate/, () => Promise.resolve('')],
    ['garbage', /answered with what is no certificate/, () => Promise.resolve('-----BEGIN CERTIFICATE-----\nx\n')],
    ['more than it may', /the answer is too large/, () => Promise.resolve('x'.repeat(300_000))],
    [
      'a certificate for another key',
      /for another key/,
      async () => (await issueClient({ ca, name: 'central', sans: [], now: Date.now() })).cert + ca.cert,
    ],
    ['one without its CA', /without its CA/, (publicKey) => certify(ca, publicKey)],
    [
      'one that the CA beside it has not signed',
      /without its CA/,
      async (publicKey) => (await certify(fakeCa, publicKey)) + ca.cert,
    ],
    [
      'one of a CA of its own, shown beside the true one',
      /of another CA than that of --ca-fingerprint/,
      async (publicKey) => (await certify(fakeCa, publicKey)) + fakeCa.cert + ca.cert,
    ],
  ])('with %s is not believed', async (_what, says, make) => {
    expect(await answering(200, make)).toMatch(says);
  });

  it('has its words escaped on the terminal', async () => {
    const said = await answering(401, () => Promise.resolve('\u001b[2Jauthentication required\nsecond line'));
    expect(said).toContain('gave no certificate: 401 "\\u001b[2Jauthentication required"');
  });
});

describe('the key', () => {
  it('is on the disk, private, before anything is asked, and is used again', async () => {
    const { cert, key } = await server(ca);
    const gate = await startServer({ cert: cert + ca.cert, key }, (_request, response) =>
      response.writeHead(503).end(),
    );
    await refusal({ gate: gate.url });
    const first = readFileSync(join(directory, 'central.key'), 'utf8');
    await refusal({ gate: gate.url });
    expect(readFileSync(join(directory, 'central.key'), 'utf8')).toBe(first);
    chmodSync(join(directory, 'central.key'), 0o644);
    expect(await refusal({ gate: gate.url })).toMatch(/^FILE_UNSAFE: .* others may read it/);
  });
});
