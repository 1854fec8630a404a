/**
 * Keys under which credentials are remembered: a keyed hash with a key made at boot. Length-prefixed fields, so that no
 * two different lists make one key (CVE-2022-46146 was such a confusion in the exporter-toolkit's cache).
 */
import { hash, randomBytes } from 'node:crypto';

/** `purpose` keeps keys of different tables apart. Fields are well-formed Unicode. */
export type KeyedDigest = (purpose: string, ...fields: readonly string[]) => string;

const KEY_BYTES = 32;

/**
 * SHA-512/256 over the key's 64 hexadecimal digits and the fields. A truncated hash has no length extension, which is what
 * the second pass of HMAC is for, and every request with a password pays for each pass.
 * @param key 32 bytes
 */
export function createKeyedDigest(key: Buffer = randomBytes(KEY_BYTES)): KeyedDigest {
  if (key.length !== KEY_BYTES) throw new Error(`a key of ${key.length} bytes, not ${KEY_BYTES}`);
  const prefix = key.toString('hex');
  return (purpose, ...fields) => {
    let text = `${prefix}${purpose.length}:${purpose}`;
    for (const field of fields) text += `${field.length}:${field}`;
    return hash('sha512-256', text, 'base64url');
  };
}
