/**
 * Whether a request for the renewal of a server certificate is by the holder of its key, judged by what is in memory, and
 * in an order in which a stranger's costs little: a signature is looked at once the own CA has vouched for its key.
 */
import { createPublicKey } from 'node:crypto';
import { isProvedBy, provedBytes } from '../../formats/key-proof.ts';
import type { KeyProof } from '../../formats/key-proof.ts';
import { parsePem } from '../../formats/pem.ts';
import { spkiHash } from '../../formats/spki-pin.ts';
import { describeCertificate } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { HeldCertificate } from './enrollment-signing.ts';
import { issuerAmong } from './issuer.ts';
import { isForServersOnly } from './purpose.ts';

export interface ProvedRenewal {
  readonly held: HeldCertificate;
  /** What was signed: the same for every copy of it, whatever the signature looks like. */
  readonly bytes: Buffer;
}

/**
 * @param body the certificate and then the certificate request, PEM.
 * @returns why it proves nothing, for the log.
 */
export function judgeServerRenewal(
  body: string,
  proof: KeyProof,
  certificates: readonly CertificateInfo[],
): ProvedRenewal | string {
  const leaf = readLeaf(body);
  if (leaf === null) return 'there is not one certificate before the request';
  const ca = leaf.isCa ? null : issuerAmong({ certificates }, leaf);
  if (ca === null) return 'the certificate is of another CA';
  if (!isForServersOnly(leaf)) return 'the certificate is not a server certificate';
  const proved = { caFingerprint: ca.fingerprint, time: proof.time, body };
  const key = createPublicKey({ key: leaf.publicKeySpki, type: 'spki', format: 'der' });
  if (!isProvedBy(proved, proof, key)) return 'the signature is not by the key of the certificate, for this CA';
  const { serial, commonName, sans, publicKeySpki } = leaf;
  const held = { serial, commonName, sans, spkiHash: spkiHash(publicKeySpki), chain: [leaf, ca] };
  return { held, bytes: provedBytes(proved) };
}

function readLeaf(body: string): CertificateInfo | null {
  const blocks = parsePem(body);
  const [leaf, ...others] = blocks.ok ? blocks.value.filter(({ label }) => label === 'CERTIFICATE') : [];
  if (leaf === undefined || others.length > 0) return null;
  try {
    return describeCertificate(leaf.der);
  } catch {
    return null;
  }
}
