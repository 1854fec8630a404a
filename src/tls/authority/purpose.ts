/** What a certificate is for: its extended key usages, by which a server's is no client's and the other way round. */
import { X509Certificate } from 'node:crypto';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { CertificateKind } from './certificate-index.ts';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Of what the own CA has issued; what says nothing is a server's. */
export function kindOf(leaf: Pick<CertificateInfo, 'der'>): CertificateKind {
  return usagesOf(leaf).includes(CLIENT_AUTH) ? 'client' : 'server';
}

/** Whether it says that it is a server's, and nothing else. */
export function isForServersOnly(leaf: Pick<CertificateInfo, 'der'>): boolean {
  const usages = usagesOf(leaf);
  return usages.length === 1 && usages[0] === SERVER_AUTH;
}

function usagesOf({ der }: Pick<CertificateInfo, 'der'>): readonly string[] {
  return namedIn(new X509Certificate(der));
}

/** Node's type forgets that a certificate without the extension has none. */
function namedIn({ keyUsage }: { readonly keyUsage?: readonly string[] }): readonly string[] {
  return keyUsage ?? [];
}
