/**
 * Verifies a password against a parsed hash. Synchronous and expensive on purpose: it runs in the hashing worker, never
 * on the main thread. Compares digests in constant time and never throws for a password.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { compareSync } from 'bcryptjs';
import { apr1Digest } from './apr1.ts';
import { shaCryptDigest } from './sha-crypt.ts';
import type { HtpasswdHash } from './htpasswd-hash.ts';

/**
 * The limit of crypt(3) in libxcrypt (CRYPT_MAX_PASSPHRASE_SIZE); htpasswd(1) stops at 255. The SHA schemes hash the
 * password once for each of its bytes: a header of 64 KiB would cost seconds.
 */
export const LONGEST_PASSWORD_BYTES = 512;

/**
 * Whether the password, as UTF-8, is the one behind the hash. One that is longer than LONGEST_PASSWORD_BYTES never is.
 * bcrypt looks at the first 72 bytes alone, as htpasswd(1) and nginx do.
 */
export function verifyPassword(hash: HtpasswdHash, password: string): boolean {
  const bytes = Buffer.from(password, 'utf8');
  if (bytes.length > LONGEST_PASSWORD_BYTES) return false;
  switch (hash.scheme) {
    case 'bcrypt':
      return compareSync(password, hash.text);
    case 'apr1':
      return equal(apr1Digest(bytes, hash.salt), hash.digest);
    case 'sha1':
      return equal(sha1(bytes), hash.digest);
    case 'ssha':
      return equal(sha1(bytes, Buffer.from(hash.salt, 'base64')), hash.digest);
    case 'sha256-crypt':
      return equal(shaCryptDigest('sha256', bytes, hash.salt, hash.rounds), hash.digest);
    case 'sha512-crypt':
      return equal(shaCryptDigest('sha512', bytes, hash.salt, hash.rounds), hash.digest);
  }
}

function sha1(...parts: readonly Uint8Array[]): string {
  const digest = createHash('sha1');
  for (const part of parts) digest.update(part);
  return digest.digest('base64');
}

function equal(actual: string, expected: string): boolean {
  const a = Buffer.from(actual, 'latin1');
  const b = Buffer.from(expected, 'latin1');
  return a.length === b.length && timingSafeEqual(a, b);
}
