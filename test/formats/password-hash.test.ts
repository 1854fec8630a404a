import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { parseHash, type HtpasswdHash } from '../../src/formats/htpasswd.ts';
import { hashCost } from '../../src/formats/hash-cost.ts';
import { LONGEST_PASSWORD_BYTES, verifyPassword } from '../../src/formats/password-hash.ts';
import { shaCryptDigest } from '../../src/formats/sha-crypt.ts';

vi.mock('../../src/formats/sha-crypt.ts', { spy: true });

function hashOf(text: string): HtpasswdHash {
  const read = parseHash(text);
  if (!read.ok) throw new Error(read.message);
  return read.value;
}

describe('the schemes agree with openssl passwd', () => {
  // Borders of the digests' block lengths: libraries get exactly the multiples of 32 and 64 bytes wrong.
  const lengths = [1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 95, 96, 97, 127, 128, 129, 200];
  it.each(['-apr1', '-5', '-6'])('%s', (flag) => {
    for (const length of lengths) {
      const password = 'ä'.repeat(length >> 1) + 'x'.repeat(length & 1);
      const text = execFileSync('openssl', ['passwd', flag, '-salt', 'Ab./z019', password]).toString().trim();
      expect(verifyPassword(hashOf(text), password), String(length)).toBe(true);
      expect(verifyPassword(hashOf(text), `${password}.`), String(length)).toBe(false);
    }
  });
});

it('{SSHA}: salts of any usual length', () => {
  for (const length of [1, 4, 8, 16, 64]) {
    const salt = Buffer.alloc(length, 0xfe);
    const digest = createHash('sha1').update('gehört').update(salt).digest();
    const hash = hashOf(`{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`);
    expect(verifyPassword(hash, 'gehört')).toBe(true);
    expect(verifyPassword(hash, 'gehort')).toBe(false);
  }
});

// Drepper's own test vectors that keep to our bounds.
it.each([
  ['$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5', 'Hello world!'],
  ['$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA', 'Hello world!'],
  [
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    'Hello world!',
  ],
])('%s is a hash of %j', (text, password) => {
  const read = parseHash(text);
  expect(read.ok && verifyPassword(read.value, password)).toBe(true);
});

it('bcrypt: looks at the first 72 bytes alone, as the file was made', () => {
  const hash = hashOf(
    execFileSync('htpasswd', ['-nbB', '-C', '4', 'u', 'k'.repeat(72)], { stdio: 'pipe' })
      .toString()
      .trim()
      .slice(2),
  );
  expect(verifyPassword(hash, 'k'.repeat(72))).toBe(true);
  expect(verifyPassword(hash, `${'k'.repeat(72)}!`)).toBe(true);
  expect(verifyPassword(hash, 'k'.repeat(71))).toBe(false);
});

it('refuses a password beyond 512 bytes without hashing it, right or not', () => {
  const longest = 'é'.repeat(LONGEST_PASSWORD_BYTES / 2);
  const sha = (password: string) => hashOf(`{SHA}${createHash('sha1').update(password).digest('base64')}`);
  expect(verifyPassword(sha(longest), longest)).toBe(true);
  expect(verifyPassword(sha(`${longest}x`), `${longest}x`)).toBe(false);
  const slow = hashOf(`$6$rounds=1000000$salt$${'.'.repeat(86)}`);
  const hashing = vi.mocked(shaCryptDigest);
  hashing.mockClear();
  expect(verifyPassword(slow, 'x'.repeat(60_000))).toBe(false);
  expect(hashing).not.toHaveBeenCalled();
});

it('orders the schemes by what they cost', () => {
  const costs = [
    `{SHA}${Buffer.alloc(20).toString('base64')}`,
    `$apr1$salt$${'.'.repeat(22)}`,
    `$5$salt$${'.'.repeat(43)}`,
    `$2y$10$${'.'.repeat(53)}`,
    `$6$rounds=100000$salt$${'.'.repeat(86)}`,
    `$2y$12$${'.'.repeat(53)}`,
  ].map((text) => hashCost(hashOf(text)));
  expect(costs).toEqual([...costs].sort((a, b) => a - b));
});
