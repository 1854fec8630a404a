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

export const KEY_TYPES = ['p256', 'p384', 'rsa2048', 'rsa4096'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/**
 * A new key. ECDSA P-256 unless asked otherwise: every TLS stack knows it, and all of one type avoids Node's mix-up of
 * key types under SNI.
 */
export function generateKey(type: KeyType = 'p256'): string {
  return newKey(type).export({ type: 'pkcs8', format: 'pem' }).toString();
}

function newKey(type: KeyType): KeyObject {
  switch (type) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    case 'rsa2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    case 'rsa4096':
      return generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey;
  }
}

/** PKCS #8 in PEM under a passphrase (PBES2, AES-256). OpenSSL's key derivation is quick: the passphrase must be long. */
export function encryptKey(pem: string, passphrase: string): string {
  return createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
}

const KEY_BLOCK = /-----BEGIN ([A-Z0-9 ]{0,32}PRIVATE KEY)-----[^]*?-----END \1-----/g;

/** The private keys of a PEM text, one by one, as they stand there. */
export function splitKeys(pem: string): readonly string[] {
  return (pem.match(KEY_BLOCK) ?? []).map((block) => `${block}\n`);
}

/** DER of the SubjectPublicKeyInfo. @throws when the text is no private key. */
export function publicKeyOf(pem: string): Buffer {
  return createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'der' });
}

/** The type that is closest to that of a public key; p256 for those that we do not make. */
export function keyTypeLike(spki: Buffer): KeyType {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({
    key: spki,
    type: 'spki',
    format: 'der',
  });
  if (type === 'rsa') return (details?.modulusLength ?? 0) > 2048 ? 'rsa4096' : 'rsa2048';
  return details?.namedCurve === 'secp384r1' ? 'p384' : 'p256';
}

/** Whether a PEM private key needs a passphrase. */
export function isEncryptedKey(pem: string): boolean {
  return /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}

/** @returns the key without its passphrase, PKCS #8 in PEM; null when the passphrase is wrong or the key is damaged. */
export function decryptKey(pem: string, passphrase: string): string | null {
  try {
    return createPrivateKey({ key: pem, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch {
    return null;
  }
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

/**
 * @param spki DER of a SubjectPublicKeyInfo.
 * @throws {TypeError} when it is not of a type that we issue for.
 */
export async function importPublicKey(spki: Buffer): Promise<webcrypto.CryptoKey> {
  const parameters = importParameters(createPublicKey({ key: spki, type: 'spki', format: 'der' }));
  if (parameters === null) throw new TypeError('the key is not an ECDSA P-256, P-384 or RSA key');
  return webcrypto.subtle.importKey('spki', spki, parameters.key, true, ['verify']);
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
