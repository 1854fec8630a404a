/**
 * Keys under which credentials are remembered: HMAC-SHA256 with a key made at boot. Length-prefixed fields, so that no
 * two different lists make one key (CVE-2022-46146 was such a confusion in the exporter-toolkit's cache).
 */
import { hash, randomBytes } from 'node:crypto';

/** `purpose` keeps keys of different tables apart. Fields are well-formed Unicode. */
export type KeyedDigest = (purpose: string, ...fields: readonly string[]) => string;

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER = 0x36;
const OUTER = 0x5c;

/**
 * @param key 32 bytes. Their 64 hexadecimal digits are HMAC's key: one block of SHA-256, and ASCII, so that the inner
 * padding can stand before the text in one string. Two calls of the one-shot hash (RFC 2104 §2) cost half of an Hmac
 * object, and every request with a password pays for it.
 */
export function createKeyedDigest(key: Buffer = randomBytes(DIGEST_BYTES)): KeyedDigest {
  const digits = Buffer.from(key.toString('hex'), 'latin1');
  if (digits.length !== BLOCK_BYTES) throw new Error(`a key of ${key.length} bytes, not ${DIGEST_BYTES}`);
  const inner = Buffer.from(digits.map((byte) => byte ^ INNER)).toString('latin1');
  const outer = Buffer.concat([digits.map((byte) => byte ^ OUTER), Buffer.alloc(DIGEST_BYTES)]);
  return (purpose, ...fields) => {
    let text = `${inner}${purpose.length}:${purpose}`;
    for (const field of fields) text += `${field.length}:${field}`;
    hash('sha256', text, 'buffer').copy(outer, BLOCK_BYTES);
    return hash('sha256', outer, 'base64url');
  };
}
