/**
 * The table of `authenticate`: what a request must prove, against what it has offered. Pure. Every credential that is
 * offered must be valid: a bad certificate beside a good password is refused, and so is the reverse.
 */
import type { Authenticate } from '../../config/config.ts';
import type { DenyReason } from '../deny-reasons.ts';
import type { AuthOutcome, VerifiedCertificate } from '../identity.ts';
import { identityOf, type Claims } from './claim.ts';
import { ANONYMOUS } from './exempt.ts';

export interface Refused {
  readonly kind: 'refused';
  readonly reason: DenyReason;
  readonly retryAfterSeconds?: number;
}

/** What the connection's client certificate says; `notMine`: none was shown, or one that identifies nobody. */
export type CertificateOutcome =
  { readonly kind: 'notMine' } | { readonly kind: 'verified'; readonly certificate: VerifiedCertificate } | Refused;

/** What the Authorization header says; `notMine`: none was sent, or none is looked at. */
export type PasswordOutcome =
  { readonly kind: 'notMine' } | { readonly kind: 'right'; readonly user: string } | Refused;

/** Without users a header means nothing unless the mode takes passwords: then it is a wrong credential. */
export function takesPasswords(mode: Authenticate, usersConfigured: boolean): boolean {
  return usersConfigured || mode === 'password' || mode === 'either' || mode === 'both';
}

/** What the certificate alone settles: asked before a password is hashed in vain. */
export function refusalByCertificate(mode: Authenticate, certificate: CertificateOutcome): DenyReason | null {
  if (certificate.kind === 'refused') return certificate.reason;
  const isNeeded = mode === 'certificate' || mode === 'both';
  return isNeeded && certificate.kind === 'notMine' ? 'certificate_missing' : null;
}

/** All methods together are never `notMine`: a request is somebody's or refused. */
export type Settled = Exclude<AuthOutcome, { readonly kind: 'notMine' }>;

export interface Offered {
  readonly mode: Authenticate;
  readonly certificate: CertificateOutcome;
  readonly password: PasswordOutcome;
  readonly claims: Claims;
}

/**
 * Decides who a request is from. An entry of `identities` is asked about the credentials that the mode counts: in
 * `password` the certificate is a matter of TLS alone and is only recorded, in `certificate` the password.
 */
export function authenticate({ mode, certificate, password, claims }: Offered): Settled {
  const byCertificate = refusalByCertificate(mode, certificate);
  if (byCertificate !== null) return { kind: 'refused', reason: byCertificate };
  if (password.kind === 'refused') return password;
  const proved = {
    user: password.kind === 'right' ? password.user : null,
    certificate: certificate.kind === 'verified' ? certificate.certificate : null,
  };
  if (mode === 'none') return { kind: 'identified', identity: { ...ANONYMOUS, certificate: proved.certificate } };
  const counted = {
    user: mode === 'certificate' ? null : proved.user,
    certificate: mode === 'password' ? null : proved.certificate,
  };
  const isPasswordNeeded = mode === 'password' || mode === 'both';
  if (counted.user === null && (isPasswordNeeded || counted.certificate === null)) {
    return { kind: 'refused', reason: 'credentials_missing' };
  }
  const identity = identityOf(counted, claims(counted));
  const isWhole = identity.user === proved.user && identity.certificate === proved.certificate;
  return { kind: 'identified', identity: isWhole ? identity : { ...identity, ...proved } };
}
