/** What the holder of a server's key sends to have its certificate renewed, and what somebody else makes of it. */
import { printProof, signProof } from '../../src/formats/key-proof.ts';
import { parseCertificates } from '../../src/formats/x509.ts';
import type { CertificateInfo } from '../../src/formats/x509.ts';
import type { CertificateAndKey } from '../../src/tls/authority/keys.ts';
import { createSigningRequest } from '../../src/tls/authority/new-request.ts';
import type { Answered, Asked, EnrollingGate } from './enrolling-gate.ts';

export const RENEWING_SERVERS = 'authenticate: certificate\nenrollment: {authority: certs, renew_servers: true}';

export interface ProofParts {
  /** The certificate that stands before the request. */
  readonly cert: string;
  /** What signs the proof. */
  readonly key: string;
  /** Whose public key the request has; default: that of `key`. */
  readonly requestKey?: string;
  /** Of the CA that the proof is for. */
  readonly ca: string;
  readonly time: number;
}

export function leafOf(pem: string): CertificateInfo {
  const certificates = parseCertificates(pem);
  const [leaf] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw new Error(`no certificate: ${pem}`);
  return leaf;
}

/** A request as it is sent; sent twice it is a replay. */
export async function serverProof(parts: ProofParts): Promise<Pick<Asked, 'headers' | 'body'>> {
  const { cert, key, requestKey = key, ca, time } = parts;
  const body = cert + (await createSigningRequest(requestKey, 'x'));
  const proof = signProof({ caFingerprint: leafOf(ca).fingerprint, time, body }, key);
  return { headers: { authorization: printProof(proof) }, body };
}

/** Asks for a renewal as the holder would, with parts that are another's. */
export async function renewServer(
  gate: EnrollingGate,
  server: CertificateAndKey,
  changes: Partial<ProofParts> = {},
): Promise<Answered> {
  return gate.ask(await serverProof({ ...server, ca: gate.ca.cert, time: gate.now(), ...changes }));
}
