/**
 * Whether a verified chain is still trusted: asked at the handshake, on each change of the trust and by every request.
 * Pure: no OpenSSL, no clock. It never trusts a chain that OpenSSL has not verified.
 */
import type { ClientTrust } from '../../config/config.ts';
import type { Crl } from '../../formats/crl.ts';
import type { ChainLink } from '../connection.ts';
import type { DenyReason } from '../deny-reasons.ts';

/**
 * @param chain leaf first, the anchor last.
 * @param nowMs milliseconds since the epoch.
 * @returns null while it is trusted.
 */
export function stillTrusted(chain: readonly ChainLink[], trust: ClientTrust, nowMs: number): DenyReason | null {
  const anchor = chain.at(-1);
  if (anchor === undefined || !trust.caFingerprints.has(anchor.fingerprint)) return 'certificate_unknown_ca';
  // Revocation first: OpenSSL names one error only, and an expired CRL would hide that the certificate is on it.
  if (chain.some((link) => isRevoked(link, trust.crls))) return 'certificate_revoked';
  for (const link of chain) {
    if (nowMs > link.notAfter) return 'certificate_expired';
    if (nowMs < link.notBefore) return 'certificate_not_yet_valid';
  }
  return trust.crls.length > 0 && !chain.every((link) => isCovered(link, trust, nowMs)) ? 'crl_expired' : null;
}

/** Any list of the issuer counts, also one that is too old: what was revoked stays so. */
function isRevoked({ issuerKey, serial }: ChainLink, crls: readonly Crl[]): boolean {
  return crls.some((crl) => crl.issuerKey === issuerKey && crl.revoked.has(serial));
}

/**
 * X509_V_FLAG_CRL_CHECK_ALL: with any CRL configured, every issuer of the chain needs one that is valid now. With
 * `crl_on_expiry: warn` an old one will do; an issuer without any is still refused.
 */
function isCovered({ issuerKey }: ChainLink, { crls, crlOnExpiry }: ClientTrust, nowMs: number): boolean {
  return crls.some(
    (crl) =>
      crl.issuerKey === issuerKey &&
      crl.thisUpdate <= nowMs &&
      (crlOnExpiry === 'warn' || crl.nextUpdate === null || nowMs <= crl.nextUpdate),
  );
}
