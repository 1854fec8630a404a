/**
 * What a connection's client certificate is worth, by `client_auth_type`. Pure. A certificate identifies its holder only
 * where it was verified against the configured CA; the exact reason of a refusal is for the log, never for the client.
 */
import type { ClientAuthType, ClientTrust, Config } from '../../config/config.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import type { ConnectionFacts, PresentedCertificate, TlsFacts } from '../connection.ts';
import type { DenyReason } from '../deny-reasons.ts';
import type { VerifiedCertificate } from '../identity.ts';
import { isSanAllowed } from './allowed-sans.ts';
import { stillTrusted } from './certificate-trust.ts';
import type { CertificateOutcome } from './modes.ts';

interface TypeMeaning {
  /** Whether a connection without a certificate is refused. */
  readonly required: boolean;
  /** `ignored`: not asked for; `taken`: looked at, not verified, identifies nobody. */
  readonly shown: 'ignored' | 'taken' | 'verified';
}

/** tls.ClientAuthType of Go, whose names web.yml uses. */
const MEANING: Record<ClientAuthType, TypeMeaning> = {
  NoClientCert: { required: false, shown: 'ignored' },
  RequestClientCert: { required: false, shown: 'taken' },
  RequireAnyClientCert: { required: true, shown: 'taken' },
  VerifyClientCertIfGiven: { required: false, shown: 'verified' },
  RequireAndVerifyClientCert: { required: true, shown: 'verified' },
};

/** OpenSSL's verdicts (X509_V_ERR_…) by what the operator can do about them; all others are `certificate_invalid`. */
const BY_VERIFY_ERROR: ReadonlyMap<string, DenyReason> = new Map([
  ['CERT_HAS_EXPIRED', 'certificate_expired'],
  ['CERT_NOT_YET_VALID', 'certificate_not_yet_valid'],
  ['CERT_REVOKED', 'certificate_revoked'],
  ['INVALID_PURPOSE', 'certificate_wrong_purpose'],
  ['CRL_HAS_EXPIRED', 'crl_expired'],
  ['CRL_NOT_YET_VALID', 'crl_expired'],
  ['UNABLE_TO_GET_CRL', 'crl_expired'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'certificate_unknown_ca'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'certificate_unknown_ca'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certificate_unknown_ca'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'certificate_unknown_ca'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate_unknown_ca'],
  // Another CA of the same name.
  ['CERT_SIGNATURE_FAILURE', 'certificate_unknown_ca'],
  ['CERT_UNTRUSTED', 'certificate_unknown_ca'],
  ['CERT_REJECTED', 'certificate_unknown_ca'],
]);

/**
 * Judges what was shown in the handshake against the trust of now. What OpenSSL refused stays refused: without its
 * chain nothing can be verified again, and the client may come back with a new handshake.
 * @param facts null on a connection without TLS.
 * @returns null when the connection may live.
 */
export function judgeCertificate(facts: TlsFacts | null, trust: ClientTrust, nowMs: number): DenyReason | null {
  const { required, shown } = MEANING[trust.type];
  if (shown === 'ignored') return null;
  const certificate = facts?.certificate ?? null;
  if (certificate === null) return required ? 'certificate_missing' : null;
  if (shown === 'verified') {
    const reason = refusalOfVerification(certificate, trust, nowMs);
    if (reason !== null) return reason;
  }
  return isSanAllowed(certificate.sans, trust.allowedSans) ? null : 'certificate_san_not_allowed';
}

function refusalOfVerification(
  { verifyError, chain }: PresentedCertificate,
  trust: ClientTrust,
  nowMs: number,
): DenyReason | null {
  if (verifyError !== null) return BY_VERIFY_ERROR.get(verifyError) ?? 'certificate_invalid';
  return stillTrusted(chain, trust, nowMs);
}

/**
 * Whether a connection may live at all. With exempt paths it may, so that a health check without a certificate comes
 * through; its other requests are refused one by one. So may one without a certificate while a token for one is pending,
 * where servers have theirs renewed, or where another gate comes for the revocation lists.
 * @param isEnrolling a client may come to get its first certificate.
 * @returns why it must be destroyed, before one byte of HTTP when it is new.
 */
export function connectionVerdict(
  facts: ConnectionFacts,
  config: Pick<Config, 'tls' | 'exempt'> & Partial<Pick<Config, 'crl' | 'enrollment'>>,
  nowMs: number,
  isEnrolling = false,
): DenyReason | null {
  if (config.tls === null || config.exempt.length > 0) return null;
  const reason = judgeCertificate(facts.tls, config.tls.trust, nowMs);
  const isForAll = isEnrolling || config.crl?.publish === true || config.enrollment?.renewServers === true;
  return isForAll && reason === 'certificate_missing' ? null : reason;
}

/**
 * What the certificate proves about a request.
 * @param trust null on a plain HTTP listener.
 * @param verified makes (or remembers) the holder's description.
 */
export function certificateOutcome(
  facts: TlsFacts | null,
  trust: ClientTrust | null,
  nowMs: number,
  verified: (certificate: PresentedCertificate) => VerifiedCertificate,
): CertificateOutcome {
  if (trust === null) return { kind: 'notMine' };
  const reason = judgeCertificate(facts, trust, nowMs);
  if (reason !== null) return { kind: 'refused', reason };
  const certificate = facts?.certificate ?? null;
  if (certificate === null || MEANING[trust.type].shown !== 'verified') return { kind: 'notMine' };
  return { kind: 'verified', certificate: verified(certificate) };
}

/** Whether a new handshake could show a certificate that this connection was never asked for. */
export function wasNotAsked(facts: TlsFacts | null, trust: ClientTrust | null): boolean {
  return facts !== null && trust !== null && MEANING[trust.type].shown !== 'ignored' && !facts.certificateRequested;
}

/** A DNS name is at most 253 characters long; other names are cut there. */
const LONGEST_NAME = 253;

/** Hex digits. RFC 5280 §4.1.2.2 allows 40; it is shown, never compared. */
const LONGEST_SERIAL = 64;

/** Describes the holder for the log; printable ASCII, whatever the CA has signed. */
export function describeHolder({ sans, commonName, serial, spkiHash }: PresentedCertificate): VerifiedCertificate {
  const name = sans.dns[0] ?? sans.email[0] ?? sans.uri[0] ?? sans.ip[0] ?? commonName ?? '';
  const printable = escapeNonPrintable(name.replaceAll('…', '?')).slice(0, LONGEST_NAME);
  return { name: printable, serial: serial.slice(0, LONGEST_SERIAL), spkiHash, commonName, sans };
}
