/** Makes certificate requests (PKCS #10, RFC 2986) for a key that stays where it is. */
import { pemText } from './certificate-authority.ts';
import { importSigningKeys } from './keys.ts';
import { loadX509 } from './x509-library.ts';

/**
 * @param key PEM, private, unencrypted.
 * @param name the common name; whoever signs decides about the names.
 * @returns PEM.
 * @throws {TypeError} when the key is not one that is certified.
 */
export async function createSigningRequest(key: string, name: string): Promise<string> {
  const library = await loadX509();
  const { pair, signing } = await importSigningKeys(key);
  const request = await library.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    keys: pair,
    signingAlgorithm: signing,
  });
  return pemText(request.toString('pem'));
}
