/**
 * Certificate signing requests (PKCS #10, RFC 2986). Of a request only the key is taken, once its signature has proved
 * that whoever made it has the private half; the names that it asks for are not looked at.
 */
import { parsePem } from '../../formats/pem.ts';
import { loadX509 } from './x509-library.ts';

const LABELS = ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'];
const LONGEST = 64 * 1024;

/**
 * @returns DER of the SubjectPublicKeyInfo.
 * @throws {TypeError} when the text is no request, or its signature is not by its own key.
 */
export async function readSigningRequest(pem: string): Promise<Buffer> {
  if (pem.length > LONGEST) throw new TypeError('the certificate request is longer than 64 KiB');
  const blocks = parsePem(pem);
  const requests = blocks.ok ? blocks.value.filter(({ label }) => LABELS.includes(label)) : [];
  const [request] = requests;
  if (request === undefined || requests.length > 1) {
    throw new TypeError('expected one certificate request, PEM: -----BEGIN CERTIFICATE REQUEST-----');
  }
  const library = await loadX509();
  let publicKey: Buffer;
  let isProved: boolean;
  try {
    const parsed = new library.Pkcs10CertificateRequest(Uint8Array.from(request.der));
    publicKey = Buffer.from(parsed.publicKey.rawData);
    isProved = await parsed.verify();
  } catch {
    throw new TypeError('the certificate request cannot be read');
  }
  if (!isProved) throw new TypeError('the certificate request is not signed by its own key');
  return publicKey;
}
