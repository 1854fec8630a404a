/** Whose a certificate is, verified by signature: a name can be anybody's. */
import { X509Certificate } from 'node:crypto';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Authority } from './authority-directory.ts';

type Der = Pick<CertificateInfo, 'der'>;

export function isSignedBy(leaf: Der, ca: Der): boolean {
  const [certificate, issuer] = [new X509Certificate(leaf.der), new X509Certificate(ca.der)];
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The CA of ca.crt that signed a certificate; null for another's, and for a CA itself. */
export function issuerAmong(
  { certificates }: Pick<Authority, 'certificates'>,
  leaf: CertificateInfo,
): CertificateInfo | null {
  if (certificates.some(({ fingerprint }) => fingerprint === leaf.fingerprint)) return null;
  return certificates.find((ca) => ca.isCa && isSignedBy(leaf, ca)) ?? null;
}

/** What stands behind the leaf in a file, once the CA that signs now has signed it: its own certificate, not another's. */
export function chainBehind({ certificates, certificate }: Authority, others: readonly CertificateInfo[]): string {
  const isOwn = ({ fingerprint }: CertificateInfo): boolean =>
    certificates.some((ca) => ca.fingerprint === fingerprint);
  const rest = others.filter((other) => !isOwn(other)).map(({ pem }) => pem);
  return [...rest, ...(others.some(isOwn) ? [certificate.pem] : [])].join('');
}
