/**
 * How the holder of a server's key proves that it has it, to get the certificate renewed: a server is no TLS client, so no
 * handshake shows it. One header, over the body of the request:
 * `Authorization: Promgate-Key version=1, time=MILLISECONDS, signature=BASE64URL`.
 */
import { createHash, sign, verify } from 'node:crypto';
import type { KeyLike, KeyObject } from 'node:crypto';

export interface KeyProof {
  /** When it was signed, by the signer's clock: milliseconds since the epoch. */
  readonly time: number;
  readonly signature: Buffer;
}

export interface ProvedRequest {
  /** Of the CA that has issued the certificate: SHA-256 over its DER, upper-case hex. Whoever has another CA is not meant. */
  readonly caFingerprint: string;
  readonly time: number;
  /** The body as it is sent. */
  readonly body: string;
}

/** How far the clocks of a server and of its gate may differ. */
export const PROOF_SKEW_MS = 5 * 60_000;

/**
 * Longer than the 64 bytes of two hello randoms, and no certificate or request begins so: no signature that the key makes
 * elsewhere (TLS 1.2: RFC 5246 §7.4.3, TLS 1.3: RFC 8446 §4.4.3, PKCS #10) is one over this, nor the reverse.
 */
const PURPOSE = 'promgate: whoever signs this asks for the renewal of its server certificate, version 1';

// 2048 to 4096 bits of RSA, or the DER of two integers of P-256 or P-384.
const HEADER = /^Promgate-Key version=1, time=(\d{1,15}), signature=([A-Za-z0-9_-]{80,700})$/i;

/** What is signed: every field behind its length, so that no two requests have the same bytes. */
export function provedBytes({ caFingerprint, time, body }: ProvedRequest): Buffer {
  const fields = [PURPOSE, caFingerprint, String(time), createHash('sha256').update(body, 'latin1').digest()];
  return Buffer.concat(
    fields.flatMap((field) => {
      const bytes = Buffer.from(field);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** @throws Error when the key cannot sign. */
export function signProof(request: ProvedRequest, key: KeyLike): KeyProof {
  return { time: request.time, signature: sign('sha256', provedBytes(request), key) };
}

export function isProvedBy(request: ProvedRequest, { signature }: KeyProof, key: KeyObject): boolean {
  try {
    return verify('sha256', provedBytes(request), key, signature);
  } catch {
    return false;
  }
}

export function printProof({ time, signature }: KeyProof): string {
  return `Promgate-Key version=1, time=${String(time)}, signature=${signature.toString('base64url')}`;
}

/** @returns null when the header is none. */
export function parseProof(authorization: string | undefined): KeyProof | null {
  const [, time, signature] = HEADER.exec(authorization ?? '') ?? [];
  if (time === undefined || signature === undefined) return null;
  return { time: Number(time), signature: Buffer.from(signature, 'base64url') };
}
