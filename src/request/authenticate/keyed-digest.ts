/**
 * Keys under which credentials are remembered: HMAC-SHA256 with a key made at boot. Length-prefixed fields, so that no
 * two different lists make one key (CVE-2022-46146 was such a confusion in the exporter-toolkit's cache).
 */
import { createHmac, randomBytes } from 'node:crypto';

/** `purpose` keeps keys of different tables apart. Fields are well-formed Unicode. */
export type KeyedDigest = (purpose: string, ...fields: readonly string[]) => string;

export function createKeyedDigest(key: Buffer = randomBytes(32)): KeyedDigest {
  return (purpose, ...fields) => {
    let text = `${purpose.length}:${purpose}`;
    for (const field of fields) text += `${field.length}:${field}`;
    return createHmac('sha256', key).update(text).digest('base64url');
  };
}
