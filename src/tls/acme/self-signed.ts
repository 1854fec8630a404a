/** What is served before the first certificate came: nobody is to trust it, and nothing waits for the CA. */
import type { KeyPair } from '../../config/config.ts';
import { pemText, randomSerial } from '../authority/certificate-authority.ts';
import { importSigningKeys } from '../authority/keys.ts';
import { commonName, serverName } from '../authority/names.ts';
import { loadX509 } from '../authority/x509-library.ts';
import type { WantedCertificate } from './contract.ts';
import { makeKey } from './key-and-request.ts';
import { nameOf, readPair, SELF_SIGNED_PREFIX } from './pair.ts';

const BACKDATED_MS = 5 * 60_000;
const LIFETIME_MS = 90 * 86_400_000;

/**
 * A self-signed pair with the names and the type of key of the wanted certificate: beside other pairs under SNI a key
 * of another type could be mixed up by Node.
 * @param now milliseconds since the epoch.
 * @throws {TypeError} when a name is neither a DNS name nor an IP address.
 */
export async function makeSelfSigned(wanted: WantedCertificate, now: number): Promise<KeyPair> {
  const library = await loadX509();
  const names = wanted.names.map(serverName);
  const key = await makeKey(wanted.keyType);
  const keys = await importSigningKeys(key);
  const subject = commonName(nameOf(wanted));
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ['promgate, self-signed'] }, ...(subject === null ? [] : [{ CN: [subject] }])],
    serialNumber: randomSerial(),
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + LIFETIME_MS),
    keys: keys.pair,
    signingAlgorithm: keys.signing,
    extensions: [
      new library.BasicConstraintsExtension(false, undefined, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
      new library.ExtendedKeyUsageExtension([library.ExtendedKeyUsage.serverAuth]),
      new library.SubjectAlternativeNameExtension(
        names.map(({ type, value }) => ({ type: type === 'ip' ? 'ip' : 'dns', value })),
      ),
    ],
  });
  const pair = readPair(pemText(certificate.toString('pem')), key, `${SELF_SIGNED_PREFIX}${nameOf(wanted)}`);
  if (!pair.ok) throw new TypeError(`the self-signed certificate cannot be used: ${pair.message}`);
  return pair.value;
}
