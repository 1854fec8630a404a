/** Who a request is from, and what the steps say of it. Closed unions: a new case is a compile error where it matters. */
import type { SubjectAltNames } from '../formats/x509.ts';
import type { DenyReason } from './deny-reasons.ts';
import type { IdentityRule } from '../config/config.ts';

/** A certificate that was verified and identifies its holder; made once per connection. */
export interface VerifiedCertificate {
  /** The name in logs: the first DNS SAN, else e-mail, URI or IP SAN, else the CN. */
  readonly name: string;
  /** Upper-case hex, as openssl prints it. */
  readonly serial: string;
  /** SHA-256 over the SubjectPublicKeyInfo, lower-case hex. */
  readonly spkiHash: string;
  readonly commonName: string | null;
  readonly sans: SubjectAltNames;
}

export type { SubjectAltNames } from '../formats/x509.ts';

export interface Identity {
  /** For logs: an entry's name, `password:USER`, `certificate:SAN` or `anonymous`. */
  readonly name: string;
  /** For metrics: bounded by the configuration; an entry's name, a configured user, `certificate` or `anonymous`. */
  readonly label: string;
  readonly user: string | null;
  readonly certificate: VerifiedCertificate | null;
  readonly claim: Claim;
}

/** What the section `identities` says of this credential; authorize acts on it, after the kind table. */
export type Claim =
  /** There is no such section, or the request is anonymous: whatever the kind table allows. */
  | { readonly kind: 'open' }
  | { readonly kind: 'rule'; readonly rule: IdentityRule }
  | { readonly kind: 'refused'; readonly reason: 'identity_unknown' | 'identity_mismatch' };

export type AuthOutcome =
  | { readonly kind: 'identified'; readonly identity: Identity }
  /** This method has nothing to say: no such credential was offered. */
  | { readonly kind: 'notMine' }
  | { readonly kind: 'refused'; readonly reason: DenyReason; readonly retryAfterSeconds?: number };
