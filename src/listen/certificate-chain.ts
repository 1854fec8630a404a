/**
 * The chain from a client's certificate to an anchor among the configured CAs, found once per connection. OpenSSL has
 * verified it in the handshake; here it is only written down, so that it can be judged again later. Never a verification.
 */
import { X509Certificate } from 'node:crypto';
import type { ClientTrust } from '../config/config.ts';
import { describeCertificate, parseCertificates, type CertificateInfo } from '../formats/x509.ts';
import type { ChainLink } from '../request/connection.ts';

export interface KnownCertificate {
  readonly certificate: X509Certificate;
  readonly info: CertificateInfo;
}

/** OpenSSL's default depth is 100; nobody has more than three intermediates. */
const LONGEST_CHAIN = 8;

/** The configured CAs, read once per configuration. */
export function readAuthorities(trust: Pick<ClientTrust, 'ca'>): readonly KnownCertificate[] {
  return trust.ca.flatMap((pem) => {
    const certificates = parseCertificates(pem);
    return certificates.ok ? certificates.value.map((info) => knownOf(info.der)) : [];
  });
}

/** @throws Error when the bytes are not strict DER. */
export function knownOf(der: Buffer): KnownCertificate {
  return { certificate: new X509Certificate(der), info: describeCertificate(der) };
}

/**
 * @param sent what the client sent beside its leaf; used where no configured CA is the issuer.
 * @returns leaf first, anchor last; empty when no path leads to a self-signed configured CA.
 */
export function chainTo(
  authorities: readonly KnownCertificate[],
  leaf: KnownCertificate,
  sent: readonly KnownCertificate[],
): readonly ChainLink[] {
  const path = findPath(authorities, [leaf], sent);
  return path === null ? [] : path.map(({ info }) => linkOf(info));
}

function findPath(
  authorities: readonly KnownCertificate[],
  path: readonly KnownCertificate[],
  sent: readonly KnownCertificate[],
): readonly KnownCertificate[] | null {
  const last = path.at(-1);
  if (last === undefined || path.length > LONGEST_CHAIN) return null;
  const isConfigured = authorities.some(({ info }) => info.fingerprint === last.info.fingerprint);
  if (isConfigured && last.info.subjectKey === last.info.issuerKey) return path;
  // Configured ones first, as OpenSSL does (X509_V_FLAG_TRUSTED_FIRST): of two cross-signed twins it took the trusted.
  for (const candidate of [...authorities, ...sent]) {
    if (path.some(({ info }) => info.fingerprint === candidate.info.fingerprint)) continue;
    if (!isIssuerOf(candidate, last)) continue;
    const longer = findPath(authorities, [...path, candidate], sent);
    if (longer !== null) return longer;
  }
  return null;
}

/**
 * Whether a configured CA has signed the leaf, or an intermediate above it. For certificates that OpenSSL refused, whose
 * chain a stranger has made: it goes straight up and verifies one signature of his a step, so that it costs little.
 */
export function isBelowConfigured(
  authorities: readonly KnownCertificate[],
  leaf: KnownCertificate,
  sent: readonly KnownCertificate[],
): boolean {
  let last = leaf;
  for (const next of [...sent, null]) {
    if (authorities.some((authority) => isIssuerOf(authority, last))) return true;
    if (next === null || !isIssuerOf(next, last)) return false;
    last = next;
  }
  return false;
}

function isIssuerOf(issuer: KnownCertificate, subject: KnownCertificate): boolean {
  return (
    issuer.info.subjectKey === subject.info.issuerKey &&
    subject.certificate.checkIssued(issuer.certificate) &&
    subject.certificate.verify(issuer.certificate.publicKey)
  );
}

function linkOf({ fingerprint, serial, issuerKey, notBefore, notAfter }: CertificateInfo): ChainLink {
  return { fingerprint, serial, issuerKey, notBefore, notAfter };
}
