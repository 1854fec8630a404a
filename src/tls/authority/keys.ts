/**
 * Private keys of the own CA and of what it issues: PEM text on the outside, WebCrypto keys on the inside. A key is
 * never put into a message.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A certificate (leaf first) and its private key (PKCS #8), both PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

export interface SigningKeys {
  readonly pair: webcrypto.CryptoKeyPair;
  /** What a signature made with the private key is called. */
  readonly signing: webcrypto.Algorithm & { readonly hash: string };
}

type KeyImport = webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams;

/** A new ECDSA P-256 key: every TLS stack knows it, and all of one type avoids Node's mix-up of key types under SNI. */
export function generateKey(): string {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
}

/** ECDSA on P-256 and P-384 and RSA from 2048 bits on, unencrypted: what we issue with and issue for. */
export function isUsableKey(pem: string): boolean {
  try {
    return importParameters(createPrivateKey(pem)) !== null;
  } catch {
    return false;
  }
}

/** @throws {TypeError} when the text is no key that `isUsableKey` accepts. */
export async function importSigningKeys(pem: string): Promise<SigningKeys> {
  if (!isUsableKey(pem)) throw new TypeError('the private key is not an unencrypted ECDSA P-256, P-384 or RSA key');
  const privateKey = createPrivateKey(pem);
  const parameters = importParameters(privateKey);
  if (parameters === null) throw new TypeError('the private key has an unsupported type');
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return {
    pair: {
      privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, parameters.key, false, ['sign']),
      publicKey: await webcrypto.subtle.importKey('spki', spki, parameters.key, true, ['verify']),
    },
    signing: { name: parameters.key.name, hash: parameters.hash },
  };
}

function importParameters(key: KeyObject): { key: KeyImport; hash: string } | null {
  if (key.asymmetricKeyType === 'ec') {
    const curve = key.asymmetricKeyDetails?.namedCurve;
    if (curve === 'prime256v1') return { key: { name: 'ECDSA', namedCurve: 'P-256' }, hash: 'SHA-256' };
    if (curve === 'secp384r1') return { key: { name: 'ECDSA', namedCurve: 'P-384' }, hash: 'SHA-384' };
  }
  if (key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048) {
    return { key: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, hash: 'SHA-256' };
  }
  return null;
}
