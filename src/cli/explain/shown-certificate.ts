/** A certificate file as the gate would see it in a handshake: verified against the configured CAs, without a handshake. */
import type { X509Certificate } from 'node:crypto';
import type { Tls } from '../../config/config.ts';
import { parseCertificates } from '../../formats/x509.ts';
import { spkiHash } from '../../formats/spki-pin.ts';
import { PromgateError } from '../../lib/errors.ts';
import { chainTo, knownOf, readAuthorities } from '../../listen/certificate-chain.ts';
import type { PresentedCertificate, TlsFacts } from '../../request/connection.ts';

/** RFC 5280 §4.2.1.12: clientAuth and anyExtendedKeyUsage. */
const CLIENT_PURPOSES: readonly string[] = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

/**
 * @param pem leaf first, then what is sent beside it; null: no certificate is shown.
 * @returns null where there is no TLS.
 * @throws PromgateError when the PEM holds no certificate.
 */
export function factsOf(tls: Tls | null, pem: string | null): TlsFacts | null {
  if (tls === null) return null;
  const certificateRequested = tls.trust.type !== 'NoClientCert';
  const certificate = pem === null || !certificateRequested ? null : presented(tls, pem);
  return { protocol: 'TLSv1.3', alpn: 'http/1.1', servername: null, certificateRequested, certificate };
}

function presented(tls: Tls, pem: string): PresentedCertificate {
  const read = parseCertificates(pem);
  if (!read.ok) throw new PromgateError('USAGE', `the certificate cannot be read: ${read.message}`);
  const [leaf, ...sent] = read.value.map(({ der }) => knownOf(der));
  if (leaf === undefined) throw new PromgateError('USAGE', 'the file holds no certificate');
  const { subject, commonName, sans, serial, notAfter, publicKeySpki } = leaf.info;
  const chain = chainTo(readAuthorities(tls.trust), leaf, sent);
  const verifyError = chain.length === 0 ? 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' : purposeFault(leaf.certificate);
  return { subject, commonName, sans, serial, spkiHash: spkiHash(publicKeySpki), notAfter, verifyError, chain };
}

/** Without the extension a certificate is good for everything. */
function purposeFault({ keyUsage }: X509Certificate): string | null {
  // Typed as always there; it is undefined where the extension is missing.
  const purposes = keyUsage as readonly string[] | undefined;
  if (purposes === undefined || purposes.some((purpose) => CLIENT_PURPOSES.includes(purpose))) return null;
  return 'INVALID_PURPOSE';
}
