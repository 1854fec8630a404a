/**
 * Answers tls-alpn-01 (RFC 8737) on the port of the gate itself: keeps a certificate for each name under challenge, and
 * serves it to connections that offer `acme-tls/1` and nothing else. Those must never reach anything behind the
 * handshake; whoever accepts connections finds them by their ClientHello (formats/client-hello.ts).
 */
import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { normalizeAddress, parseIpv4, parseIpv6 } from '../../../formats/address.ts';
import { randomSerial } from '../../authority/certificate-authority.ts';
import { generateKey, importSigningKeys } from '../../authority/keys.ts';
import { loadX509 } from '../../authority/x509-library.ts';
import { secureContextOptions } from '../../secure-context.ts';
import type { Tls } from '../../../config/config.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { ChallengeAnswerer } from '../contract.ts';

export const ACME_TLS_PROTOCOL = 'acme-tls/1';
/** id-pe-acmeIdentifier. */
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const DAY_MS = 86_400_000;
const HANDSHAKE_MS = 10_000;
/** RFC 8737 §4 asks for TLS 1.2 at least. Who connects is nobody's business: the CA shows no certificate. */
const CHALLENGE_TLS: Tls = {
  settings: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: null, curves: null, preferServerCiphers: true },
  certificates: [],
  trust: {
    type: 'NoClientCert',
    ca: [],
    caFingerprints: new Set(),
    crls: [],
    crlOnExpiry: 'deny',
    allowedSans: [],
  },
};

export interface ChallengeCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TlsAlpnAnswerer extends ChallengeAnswerer {
  /** The certificate for a server name (SNI; of an address its reverse name, RFC 8738 §6); null: none is pending. */
  contextFor(servername: string): ChallengeCertificate | null;
  /** Whether connections have to be looked at. */
  isPending(): boolean;
  /** Shakes hands on a connection whose ClientHello is still unread, and ends it; destroys it without a challenge. */
  serve(socket: Socket, servername: string): void;
}

export function createTlsAlpnAnswerer(clock: Clock): TlsAlpnAnswerer {
  const certificates = new Map<string, ChallengeCertificate>();
  const contextFor = (servername: string): ChallengeCertificate | null =>
    certificates.get(servername.toLowerCase().replace(/\.$/, '')) ?? null;
  return {
    async present({ identifier, keyAuthorization }) {
      const certificate = await makeCertificate(identifier, keyAuthorization, clock.now());
      const name = serverNameOf(identifier);
      certificates.set(name, certificate);
      return async () => {
        if (certificates.get(name) === certificate) certificates.delete(name);
      };
    },
    contextFor,
    isPending: () => certificates.size > 0,
    serve(socket, servername) {
      const pair = contextFor(servername);
      socket.on('error', () => socket.destroy());
      if (pair === null) {
        socket.destroy();
        return;
      }
      shakeHands(socket, pair, clock);
    },
  };
}

/** What a CA puts into SNI: a name, or the reverse name of an address (RFC 8738 §6). */
export function serverNameOf(identifier: string): string {
  const address = normalizeAddress(identifier);
  if (address === null) return identifier.toLowerCase().replace(/\.$/, '');
  if (parseIpv4(address) !== -1) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const groups = parseIpv6(address) ?? [];
  const digits = groups.map((group) => group.toString(16).padStart(4, '0')).join('');
  return `${[...digits].reverse().join('.')}.ip6.arpa`;
}

/** RFC 8737 §3: self-signed, one name, and the digest of the key authorization in a critical extension. */
async function makeCertificate(
  identifier: string,
  keyAuthorization: string,
  now: number,
): Promise<ChallengeCertificate> {
  const library = await loadX509();
  const key = generateKey();
  const keys = await importSigningKeys(key);
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['ACME challenge'] }],
    serialNumber: randomSerial(),
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + DAY_MS),
    keys: keys.pair,
    signingAlgorithm: keys.signing,
    extensions: [
      new library.SubjectAlternativeNameExtension([
        { type: isIP(identifier) === 0 ? 'dns' : 'ip', value: identifier.toLowerCase() },
      ]),
      // An OCTET STRING of 32 bytes in DER.
      new library.Extension(ACME_IDENTIFIER, true, Buffer.concat([Buffer.from([0x04, 0x20]), digest])),
    ],
  });
  return { cert: `${certificate.toString('pem').trim()}\n`, key };
}

function shakeHands(socket: Socket, pair: ChallengeCertificate, clock: Clock): void {
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext: createSecureContext(secureContextOptions(pair, CHALLENGE_TLS)),
    ALPNProtocols: [ACME_TLS_PROTOCOL],
    requestCert: false,
  });
  const timer = clock.after(HANDSHAKE_MS, () => {
    secured.destroy();
    socket.destroy();
  });
  // RFC 8737 §3: the handshake is all there is; what follows it is thrown away.
  secured.once('secure', () => {
    secured.end();
  });
  secured.on('error', () => {
    secured.destroy();
    socket.destroy();
  });
  secured.resume();
  socket.once('close', () => {
    timer.cancel();
  });
}
