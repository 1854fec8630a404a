/**
 * Apache's MD5 scheme `$apr1$` over bytes: what htpasswd(1) writes by default. Weak by today's measure, but what the
 * files in the field hold; cost about 1 ms.
 */
import { createHash } from 'node:crypto';
import { cryptBase64 } from './crypt-base64.ts';

const ROUNDS = 1000;
const GROUPS = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5], [11]];

function md5(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash('md5');
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** The 22 characters behind the salt (apr_md5.c of the Apache Portable Runtime). */
export function apr1Digest(password: Uint8Array, saltText: string): string {
  const salt = Buffer.from(saltText, 'latin1');
  const inner = md5(password, salt, password);
  const first = createHash('md5').update(password).update('$apr1$').update(salt);
  for (let left = password.length; left > 0; left -= 16) first.update(inner.subarray(0, Math.min(16, left)));
  for (let bits = password.length; bits > 0; bits >>>= 1) {
    first.update((bits & 1) === 1 ? Buffer.from([0]) : password.subarray(0, 1));
  }
  let digest: Uint8Array = first.digest();
  const none = Buffer.alloc(0);
  for (let round = 0; round < ROUNDS; round++) {
    const odd = round % 2 === 1;
    digest = md5(
      odd ? password : digest,
      round % 3 === 0 ? none : salt,
      round % 7 === 0 ? none : password,
      odd ? digest : password,
    );
  }
  return cryptBase64(digest, GROUPS);
}
