/** Contract: what is known of a connection. The facts are stored once, after the handshake, and never change. */
import type { SubjectAltNames } from './identity.ts';

/** One certificate of the verified chain, leaf first; what is needed to judge the chain again without OpenSSL. */
export interface ChainLink {
  /** SHA-256 over the DER, upper-case hex without colons. */
  readonly fingerprint: string;
  /** Upper-case hex. */
  readonly serial: string;
  /** SHA-256 over the DER of the issuer's name, hex: the key under which CRLs are looked up. */
  readonly issuerKey: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface PresentedCertificate {
  readonly subject: string;
  readonly commonName: string | null;
  readonly sans: SubjectAltNames;
  readonly serial: string;
  /** SHA-256 over the SubjectPublicKeyInfo, lower-case hex; empty when the certificate could not be read. */
  readonly spkiHash: string;
  readonly notAfter: number;
  /** OpenSSL's verdict at the handshake (`CERT_REVOKED`, `UNABLE_TO_GET_ISSUER_CERT_LOCALLY`, …); null: verified. */
  readonly verifyError: string | null;
  /** The chain as sent and completed, leaf first; the last one is the anchor. Empty if it was not verified. */
  readonly chain: readonly ChainLink[];
}

export interface TlsFacts {
  readonly protocol: string;
  readonly alpn: 'h2' | 'http/1.1';
  readonly servername: string | null;
  /** Whether the server asked for a certificate in this handshake. */
  readonly certificateRequested: boolean;
  readonly certificate: PresentedCertificate | null;
}

export interface ConnectionFacts {
  readonly id: number;
  /** The TCP peer, normalised: IPv4-mapped addresses are IPv4. */
  readonly peer: string;
  /** null on a plain HTTP listener. */
  readonly tls: TlsFacts | null;
}

/**
 * A live connection as the steps of a request see it. `listen/` owns it; a step may tell it that it has authenticated
 * (longer idle time-out) and reads how it was judged.
 */
export interface Connection {
  readonly facts: ConnectionFacts;
  /** The generation of the configuration under which the connection was last judged. */
  judgedUnder: number;
  /** Set by authenticate when a request on this connection was identified by a credential. */
  authenticated: boolean;
  /** True when no further request may be answered here: the answer carries `Connection: close`, h2 gets GOAWAY. */
  readonly leaving: boolean;
  /** No new request from now on; answers in flight end within `drainMs`, then the socket is destroyed. */
  drain(drainMs: number): void;
  destroy(): void;
}
