/** New private keys and the requests (PKCS #10) for certificates over them. A key is never put into a message. */
import { generateKeyPair } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { importSigningKeys } from '../authority/keys.ts';
import { serverName } from '../authority/names.ts';
import { loadX509 } from '../authority/x509-library.ts';
import type { WantedCertificate } from './contract.ts';

const makePair = promisify(generateKeyPair);

/** A new key (PKCS #8, PEM), made off the main thread: RSA takes seconds. */
export async function makeKey(type: WantedCertificate['keyType']): Promise<string> {
  const { privateKey } = await makeKeyObjects(type);
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function makeKeyObjects(type: WantedCertificate['keyType']): Promise<{ privateKey: KeyObject }> {
  switch (type) {
    case 'p256':
      return makePair('ec', { namedCurve: 'P-256' });
    case 'p384':
      return makePair('ec', { namedCurve: 'P-384' });
    case 'rsa2048':
      return makePair('rsa', { modulusLength: 2048 });
    case 'rsa4096':
      return makePair('rsa', { modulusLength: 4096 });
  }
}

/**
 * A request for these DNS names and IP addresses, as PEM. The subject is empty: names belong into the SAN (RFC 8555
 * §7.4), and a common name would be one that the CA has to put up with.
 * @throws {TypeError} when a name is neither.
 */
export async function makeRequest(names: readonly string[], key: string): Promise<string> {
  const library = await loadX509();
  const { pair, signing } = await importSigningKeys(key);
  const request = await library.Pkcs10CertificateRequestGenerator.create({
    name: [],
    keys: pair,
    signingAlgorithm: signing,
    extensions: [
      new library.SubjectAlternativeNameExtension(
        names.map(serverName).map(({ type, value }) => ({ type: type === 'ip' ? 'ip' : 'dns', value })),
      ),
    ],
  });
  return `${request.toString('pem').trim()}\n`;
}
