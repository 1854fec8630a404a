/**
 * Contract: how clients and servers get a certificate over the gate. The one path where a request is answered before
 * somebody is identified; run.ts supplies what signs. It exists for who brings a pending token, a client certificate that
 * may be renewed, or the proof of a server's key.
 */
import type { KeyProof } from '../formats/key-proof.ts';
import type { PresentedCertificate } from './connection.ts';
import type { DenyReason } from './deny-reasons.ts';

/** POST only; the body is a certificate request (PKCS #10, PEM), behind the certificate where a server renews its own. */
export const ENROLLMENT_PATH = '/-/promgate/enroll';
/** The largest request, of a key of 4096 bits, has 2 KB. */
export const ENROLLMENT_BODY_LIMIT = 16 * 1024;

export type EnrollmentOutcome =
  /** PEM: the certificate, then its CAs. */
  | { readonly kind: 'issued'; readonly pem: string }
  /** `detail` is for the log. */
  | { readonly kind: 'refused'; readonly reason: DenyReason; readonly detail: string };

export interface EnrollmentRequest {
  readonly address: string;
  readonly request: string;
}

export interface Enrollment {
  /** Changes with every configuration that comes into force. */
  epoch(): number;
  /** Whether a token is pending. Without one no token is looked at. */
  isOpen(): boolean;
  /** Whether this token is pending; the time that it takes tells nothing. */
  knows(token: string): boolean;
  /** Takes the token, once. Never rejects. */
  enroll(token: string, asking: EnrollmentRequest): Promise<EnrollmentOutcome>;
  /** For the holder of a certificate that was verified and is trusted now. Never rejects. */
  renew(certificate: PresentedCertificate, asking: EnrollmentRequest): Promise<EnrollmentOutcome>;
  /** For whoever has the key of a server certificate: the proof is judged here. Never rejects. */
  renewServer(proof: KeyProof, asking: EnrollmentRequest): Promise<EnrollmentOutcome>;
}
