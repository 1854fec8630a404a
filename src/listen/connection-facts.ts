/** What is known of a connection after its handshake, written down once. It judges nothing. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { spkiHash } from '../formats/spki-pin.ts';
import type { PresentedCertificate, TlsFacts } from '../request/connection.ts';
import { chainTo, isBelowConfigured, knownOf, type KnownCertificate } from './certificate-chain.ts';

/** A certificate that OpenSSL took and our strict DER reader does not: it identifies nobody. */
const UNREADABLE = 'CERT_NOT_STRICT_DER';
/** OpenSSL verified it, but the path that it took cannot be told: what cannot be judged again is not trusted at all. */
const NO_PATH = 'CERT_CHAIN_NOT_FOUND';
/**
 * What OpenSSL says of CRLs. It tells the last of its errors only, and looks for the CRL of an issuer that it does not
 * know as well: of a stranger's certificate it says UNABLE_TO_GET_CRL.
 */
const ABOUT_CRLS: ReadonlySet<string> = new Set(['UNABLE_TO_GET_CRL', 'CRL_HAS_EXPIRED', 'CRL_NOT_YET_VALID']);
/** What it had said before. */
const NO_ISSUER = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
/** Beyond this nothing that a client sends is looked at. */
const MOST_SENT = 8;

export interface Handshake {
  readonly certificateRequested: boolean;
  readonly authorities: readonly KnownCertificate[];
  /** The leaf with the certificates sent after it hanging on it. */
  readonly presented: X509Certificate | undefined;
}

export function tlsFactsOf(socket: TLSSocket, handshake: Handshake): TlsFacts {
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    alpn: socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1',
    servername: servernameOf(socket),
    certificateRequested: handshake.certificateRequested,
    certificate: handshake.certificateRequested ? presentedCertificate(socket, handshake) : null,
  };
}

function servernameOf(socket: TLSSocket): string | null {
  const { servername } = socket as { servername?: string | false | null };
  return typeof servername === 'string' && servername !== '' ? servername : null;
}

function presentedCertificate(socket: TLSSocket, { authorities, presented }: Handshake): PresentedCertificate | null {
  if (presented === undefined) return null;
  // The declared type is Error; on a server Node stores OpenSSL's code. Both end up as text.
  const { authorizationError } = socket as { authorizationError?: Error | string | null };
  const refused = socket.authorized ? null : textOf(authorizationError);
  try {
    const leaf = knownOf(presented.raw);
    const { subject, commonName, sans, serial, notAfter, publicKeySpki } = leaf.info;
    const sent = sentAfter(presented);
    const chain = refused === null ? chainTo(authorities, leaf, sent) : [];
    const found = refused ?? (chain.length === 0 ? NO_PATH : null);
    const isStranger = found !== null && ABOUT_CRLS.has(found) && !isBelowConfigured(authorities, leaf, sent);
    const verifyError = isStranger ? NO_ISSUER : found;
    return { subject, commonName, sans, serial, spkiHash: spkiHash(publicKeySpki), notAfter, verifyError, chain };
  } catch {
    const sans = { dns: [], email: [], uri: [], ip: [] };
    return {
      subject: '',
      commonName: null,
      sans,
      serial: '',
      spkiHash: '',
      notAfter: 0,
      verifyError: refused === null || ABOUT_CRLS.has(refused) ? UNREADABLE : refused,
      chain: [],
    };
  }
}

function textOf(error: Error | string | null | undefined): string {
  return error instanceof Error ? error.message : (error ?? 'UNSPECIFIED');
}

function sentAfter(leaf: X509Certificate): KnownCertificate[] {
  const sent: KnownCertificate[] = [];
  let next = leaf.issuerCertificate;
  for (let count = 0; next !== undefined && count < MOST_SENT; count++) {
    sent.push(knownOf(next.raw));
    next = next.issuerCertificate;
  }
  return sent;
}
