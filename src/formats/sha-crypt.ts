/**
 * crypt(5)'s SHA-256 and SHA-512 schemes (`$5$`, `$6$`) over bytes, after Ulrich Drepper's specification. The caller
 * bounds rounds and password: a round costs 2 to 3 µs.
 */
import { createHash } from 'node:crypto';
import { cryptBase64 } from './crypt-base64.ts';

/** The specification names the bytes of each group of four characters; a rule makes them. */
const GROUPS = {
  sha256: [...triples(10, (index) => [index * 21, index * 21 + 10, index * 21 + 20], 30), [31, 30]],
  sha512: [...triples(21, (index) => [index * 22, index * 22 + 21, index * 22 + 42], 63), [63]],
};

function triples(count: number, of: (index: number) => number[], modulus: number): number[][] {
  return Array.from({ length: count }, (_, index) => of(index).map((byte) => byte % modulus));
}

/** The characters behind the salt: 43 for SHA-256, 86 for SHA-512. */
export function shaCryptDigest(
  algorithm: 'sha256' | 'sha512',
  password: Uint8Array,
  saltText: string,
  rounds: number,
): string {
  const salt = Buffer.from(saltText, 'latin1');
  const hash = (parts: readonly Uint8Array[]): Buffer => {
    const digest = createHash(algorithm);
    for (const part of parts) digest.update(part);
    return digest.digest();
  };
  const inner = hash([password, salt, password]);
  const first = [password, salt, stretch(inner, password.length)];
  for (let bits = password.length; bits > 0; bits >>>= 1) first.push((bits & 1) === 1 ? inner : password);
  let digest = hash(first);

  const p = stretch(hash(new Array<Uint8Array>(password.length).fill(password)), password.length);
  const s = stretch(hash(new Array<Uint8Array>(16 + (digest[0] ?? 0)).fill(salt)), salt.length);
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1;
    const parts = [odd ? p : digest];
    if (round % 3 !== 0) parts.push(s);
    if (round % 7 !== 0) parts.push(p);
    parts.push(odd ? digest : p);
    digest = hash(parts);
  }
  return cryptBase64(digest, GROUPS[algorithm]);
}

/** As many bytes as asked for, by repetition. */
function stretch(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}
