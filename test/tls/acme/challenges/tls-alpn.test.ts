/** tls-alpn-01: what a CA sees on the port of the gate, and what everybody else goes on seeing. */
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/lib/clock.ts';
import {
  createTlsAlpnAnswerer,
  serverNameOf,
  type TlsAlpnAnswerer,
} from '../../../../src/tls/acme/challenges/tls-alpn.ts';
import { createAuthority, type Authority, type Issued } from '../../../support/certificates.ts';
import { startPebble, type Pebble } from '../../../support/pebble.ts';
import { createTestIssuer } from '../../../support/acme-orders.ts';
import { startAlpnListener, type AlpnListener } from './alpn-listener.ts';

let authority: Authority;
let gate: Issued;
let pebble: Pebble;
beforeAll(async () => {
  authority = createAuthority();
  gate = authority.issue({ name: 'gate', sans: ['DNS:a.example.com'] });
  pebble = await startPebble();
});
afterAll(async () => {
  authority.remove();
  await pebble.stop();
});
let listener: AlpnListener | undefined;
afterEach(async () => {
  await listener?.close();
});

const challenge = (identifier: string) => ({
  type: 'tls-alpn-01',
  identifier,
  token: 'tok',
  keyAuthorization: 'tok.thumbprint',
});

interface Seen {
  readonly protocol: string | false | null;
  readonly certificate: X509Certificate | undefined;
}

/** A handshake as a client of this version and these protocols sees it; null when it fails. */
async function handshake(
  port: number,
  servername: string,
  protocols: string[],
  version: 'TLSv1.2' | 'TLSv1.3',
): Promise<Seen | null> {
  const socket: TLSSocket = connect({
    port,
    host: '127.0.0.1',
    servername,
    ALPNProtocols: protocols,
    minVersion: version,
    maxVersion: version,
    rejectUnauthorized: false,
  });
  try {
    await once(socket, 'secureConnect');
    return { protocol: socket.alpnProtocol, certificate: socket.getPeerX509Certificate() };
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

const start = async (answerer: TlsAlpnAnswerer, port?: number): Promise<AlpnListener> => {
  listener = await startAlpnListener(answerer, gate, port);
  return listener;
};

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a pending tls-alpn-01 challenge (%s)', (version) => {
  it('is answered by a certificate with the digest of the key authorization, critical', async () => {
    const answerer = createTlsAlpnAnswerer(systemClock);
    const remove = await answerer.present(challenge('a.example.com'));
    const started = await start(answerer);
    const seen = await handshake(started.port, 'a.example.com', ['acme-tls/1'], version);
    expect(seen?.protocol).toBe('acme-tls/1');
    expect(seen?.certificate?.subjectAltName).toBe('DNS:a.example.com');
    // id-pe-acmeIdentifier, TRUE, OCTET STRING { OCTET STRING { digest } }
    const extension = Buffer.concat([
      Buffer.from('06082b0601050507011f0101ff042204' + '20', 'hex'),
      createHash('sha256').update('tok.thumbprint').digest(),
    ]);
    expect(seen?.certificate?.raw.includes(extension)).toBe(true);
    expect(started.requests()).toBe(0);
    await remove();
    expect(answerer.isPending()).toBe(false);
    expect(answerer.contextFor('a.example.com')).toBeNull();
  });

  it('changes nothing for clients that do not offer acme-tls/1 alone', async () => {
    const answerer = createTlsAlpnAnswerer(systemClock);
    await answerer.present(challenge('a.example.com'));
    const { port } = await start(answerer);
    const usual = new X509Certificate(gate.cert).fingerprint256;
    const plain = await handshake(port, 'a.example.com', ['http/1.1'], version);
    expect(plain?.certificate?.fingerprint256).toBe(usual);
    const both = await handshake(port, 'a.example.com', ['acme-tls/1', 'http/1.1'], version);
    expect(both?.certificate?.fingerprint256).toBe(usual);
  });

  it('is answered for its own name only', async () => {
    const answerer = createTlsAlpnAnswerer(systemClock);
    await answerer.present(challenge('a.example.com'));
    const { port } = await start(answerer);
    expect(await handshake(port, 'b.example.com', ['acme-tls/1'], version)).toBeNull();
  });
});

describe('the server name of an identifier', () => {
  it.each([
    ['A.Example.com', 'a.example.com'],
    ['192.0.2.1', '1.2.0.192.in-addr.arpa'],
    ['2001:db8::1', '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'],
  ])('%s is %s', (identifier, name) => {
    expect(serverNameOf(identifier)).toBe(name);
  });
});

describe('Pebble', () => {
  it.each([['tls.example.com'], ['127.0.0.1']])('validates %s by tls-alpn-01', async (name) => {
    const answerer = createTlsAlpnAnswerer(systemClock);
    const started = await start(answerer, pebble.tlsPort);
    const issuer = createTestIssuer({ type: 'tls-alpn-01', answerer });
    const { cert } = await issuer.order(pebble.directory, { names: [name] });
    expect(new X509Certificate(cert).subjectAltName).toContain(name);
    expect(answerer.isPending()).toBe(false);
    expect(started.requests()).toBe(0);
  });
});
