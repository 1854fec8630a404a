import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialId, formatHash, parseHash, parseHtpasswd } from '../../src/formats/htpasswd.ts';
import { verifyPassword } from '../../src/formats/password-hash.ts';

const APR1 = '$apr1$rlAhOd/z$ywtCEzCUE00N1f5iuf5v./';
const BCRYPT = '$2y$05$evsz/LuqsAeflKpWHG6mLu65M5iILv3/iDt6DNiDfaCxkJiak0Vda';
const SHA = '{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=';
const SSHA = `{SSHA}${Buffer.alloc(24, 7).toString('base64')}`;
const SHA256 = '$5$rounds=20000$0jHwXYNrdPp0DFXh$4un8IbUYk077jSaB4u3kj0OsB2XWTsQWXLgSo2oc/y9';
const SHA512 =
  '$6$u003.ttNFuPixwMp$BHR9gtmE.kcSFK5NDaLVQga7LjWKfyZTs5N5DedBKoHNWGZrF9CPT3yTaBS3phqmHe.p9.CfzuJmkCGfzvbG51';

describe('parseHash', () => {
  it.each([
    ['apr1', APR1],
    ['bcrypt', BCRYPT],
    ['bcrypt', BCRYPT.replace('$2y$', '$2a$')],
    ['bcrypt', BCRYPT.replace('$2y$', '$2b$')],
    ['sha1', SHA],
    ['ssha', SSHA],
    ['sha256-crypt', SHA256],
    ['sha256-crypt', SHA256.replace('20000', '5000')],
    ['sha512-crypt', SHA512],
  ])('reads a hash of %s and prints it again as it was', (scheme, text) => {
    const read = parseHash(text);
    expect(read).toMatchObject({ ok: true, value: { scheme } });
    if (read.ok) expect(formatHash(read.value)).toBe(text);
  });

  it.each([
    ['$2x$', BCRYPT.replace('$2y$', '$2x$'), '$2x$'],
    ['the first bcrypt', BCRYPT.replace('$2y$', '$2$'), '$2$'],
    ['DES crypt', 'rqXexS6ZhobKA', 'DES crypt'],
    ['{PLAIN}', '{PLAIN}swordfish', '{PLAIN}'],
    ['MD5 crypt', APR1.replace('$apr1$', '$1$'), 'MD5 crypt'],
    ['yescrypt', '$y$j9T$abc$def', 'yescrypt'],
    ['argon2', '$argon2id$v=19$m=65536,t=2,p=1$abc$def', 'argon2'],
    ['plain text', 'swordfish', 'plain text'],
    ['nothing', '', 'empty'],
    ['white space behind', `${SHA} x `, 'damaged'],
    ['a space before', ` ${SHA}`, 'white space'],
  ])('refuses %s', (_what, text, word) => {
    const read = parseHash(text);
    expect(read.ok).toBe(false);
    if (read.ok) return;
    expect(read.message).toContain(word);
    expect(read.hint).toContain('promgate passwd FILE add USER');
  });

  it.each([
    ['a bcrypt cost of 3', BCRYPT.replace('$05$', '$03$'), 'the bcrypt cost is 3, expected 4 to 31'],
    ['a bcrypt cost of 32', BCRYPT.replace('$05$', '$32$'), 'the bcrypt cost is 32, expected 4 to 31'],
    ['999 rounds', SHA256.replace('20000', '999'), 'the hash has rounds=999, expected 1000 to 1000000'],
    ['1 000 001 rounds', SHA256.replace('20000', '1000001'), 'the hash has rounds=1000001, expected 1000 to 1000000'],
  ])('refuses %s', (_what, text, message) => {
    expect(parseHash(text)).toMatchObject({ ok: false, message });
  });

  it.each([
    ['a short apr1', APR1.slice(0, -1)],
    ['a long apr1', `${APR1}.`],
    ['an apr1 salt of nine', APR1.replace('rlAhOd/z', 'rlAhOd/zz')],
    ['an apr1 without salt', APR1.replace('rlAhOd/z', '')],
    ['an apr1 with unused bits', `${APR1.slice(0, -1)}z`],
    ['a short bcrypt', BCRYPT.slice(0, -1)],
    ['a bcrypt with unused bits in the salt', `${BCRYPT.slice(0, 28)}v${BCRYPT.slice(29)}`],
    ['a bcrypt with unused bits in the digest', `${BCRYPT.slice(0, -1)}b`],
    ['a bcrypt cost of one digit', BCRYPT.replace('$05$', '$5$')],
    ['a short {SHA}', '{SHA}AAAA'],
    ['a {SHA} that is not base64', SHA.replace('E', '*')],
    ['a {SHA} with unused bits', '{SHA}EfatjsUqKYSrqv18O1FlA3hcIHJ='],
    ['an {SSHA} without salt', `{SSHA}${Buffer.alloc(20).toString('base64')}`],
    ['an {SSHA} with a huge salt', `{SSHA}${Buffer.alloc(200).toString('base64')}`],
    ['a $5$ digest behind $6$', SHA256.replace('$5$', '$6$')],
    ['rounds with a leading zero', SHA256.replace('20000', '020000')],
    ['rounds that are negative', SHA256.replace('20000', '-1')],
    ['a sha-crypt salt of 17', SHA512.replace('u003', 'u0033')],
    ['a line feed at the end', `${SHA512}\n`],
  ])('refuses %s', (_what, text) => {
    expect(parseHash(text)).toMatchObject({ ok: false });
  });
});

describe('parseHtpasswd', () => {
  it('reads users in the order of their lines, past comments, blank lines, a BOM, CRLF and further fields', () => {
    const text = `\ufeff# users\r\n\r\nprom:${APR1}\r\n   \r\nprom:${SHA}:rotated:2026\r\nmüller:${BCRYPT}`;
    const { entries, faults } = parseHtpasswd(text);
    expect(faults).toEqual([]);
    expect(entries.map(({ user, line, hash }) => [user, line, hash.scheme])).toEqual([
      ['prom', 3, 'apr1'],
      ['prom', 5, 'sha1'],
      ['müller', 6, 'bcrypt'],
    ]);
    expect(entries[1]?.id).toBe(credentialId('prom', SHA));
  });

  it('gives every pair of user and hash an id of its own, whatever the place of the border between them', () => {
    expect(credentialId('a', 'bc')).not.toBe(credentialId('ab', 'c'));
    expect(credentialId('a', 'b')).toMatch(/^[0-9a-f]{64}$/);
  });

  it('counts a repeated line once', () => {
    expect(parseHtpasswd(`a:${SHA}\na:${SHA}\n`).entries).toHaveLength(1);
  });

  it('reports every bad line with its number and keeps the good ones', () => {
    const { entries, faults } = parseHtpasswd(`a:${SHA}\nb\n:${SHA}\nc:\nd:rqXexS6ZhobKA\ne:${SHA}`);
    expect(entries.map(({ user }) => user)).toEqual(['a', 'e']);
    expect(faults.map(({ line, message }) => [line, message])).toEqual([
      [2, 'no colon between user and hash'],
      [3, 'the user name is empty'],
      [4, 'the password hash is empty'],
      [5, 'DES crypt (or plain text) is not an accepted password hash'],
    ]);
    for (const { hint } of faults) expect(hint).toContain('promgate passwd FILE add USER');
  });

  it.each([' a', 'a ', '\ta', 'a\x1b', 'a\u0085', 'a\ufffd', 'x'.repeat(256)])('refuses the user name %j', (user) => {
    expect(parseHtpasswd(`${user}:${SHA}`)).toMatchObject({ entries: [], faults: [{ line: 1 }] });
  });

  it('never repeats what may be a password or a hash', () => {
    const secret = 'Tr0ub4dor&3';
    const lines = [
      secret,
      `u:${secret}`,
      `u:{PLAIN}${secret}`,
      `u:${secret} `,
      `u:$2y$99$${secret}`,
      `u:{SHA}${secret}`,
    ];
    const { faults } = parseHtpasswd([...lines, `u:$6$${secret}`, `u:$apr1$${secret}`, `${secret}\x01:x`].join('\n'));
    expect(faults).toHaveLength(9);
    expect(JSON.stringify(faults)).not.toContain(secret);
  });
});

describe('files written by the real htpasswd', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'promgate-htpasswd-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const passwords: readonly (readonly [name: string, password: string])[] = [
    ['one character', 'x'],
    ['ASCII', 'correct horse battery'],
    ['UTF-8', 'pässwörd-€-密码-🔑'],
    ['32 bytes', 'k'.repeat(32)],
    ['40 characters', 'abcdefghij'.repeat(4)],
    ['64 bytes', 'q'.repeat(64)],
    ['quotes and spaces', `  "it's" \\ $HOME \`x\` `],
    ['a colon and a hash', '#a:b'],
  ];

  it.each([
    ['-m', 'apr1'],
    ['-B', 'bcrypt'],
    ['-s', 'sha1'],
    ['-2', 'sha256-crypt'],
    ['-5', 'sha512-crypt'],
  ])('%s: every password logs in, and no other does', (flag, scheme) => {
    const file = join(folder, 'htpasswd');
    for (const [index, [, password]] of passwords.entries()) {
      const flags = index === 0 ? '-cib' : '-ib';
      execFileSync('htpasswd', [flags.replace('i', ''), flag, file, `user${String(index)}`, password], {
        stdio: 'pipe',
      });
    }
    const { entries, faults } = parseHtpasswd(readFileSync(file, 'utf8'));
    expect(faults).toEqual([]);
    expect(entries).toHaveLength(passwords.length);
    for (const [index, { hash }] of entries.entries()) {
      const [name, password] = passwords[index] ?? ['', ''];
      expect(hash.scheme).toBe(scheme);
      expect(verifyPassword(hash, password), name).toBe(true);
      expect(verifyPassword(hash, `${password}x`), name).toBe(false);
      expect(verifyPassword(hash, password.slice(1)), name).toBe(false);
      expect(verifyPassword(hash, ''), name).toBe(false);
    }
  });

  it('-r: other rounds', () => {
    const text = execFileSync('htpasswd', ['-nb5', '-r', '20000', 'u', 'secret'], { stdio: 'pipe' }).toString();
    const [entry] = parseHtpasswd(text).entries;
    expect(entry?.hash).toMatchObject({ scheme: 'sha512-crypt', rounds: 20_000 });
    expect(entry !== undefined && verifyPassword(entry.hash, 'secret')).toBe(true);
  });

  it('-d and -p: DES crypt and plain text are faults', () => {
    const des = execFileSync('htpasswd', ['-nbd', 'u', 'secret'], { stdio: 'pipe' }).toString();
    const plain = execFileSync('htpasswd', ['-nbp', 'u', 'secret'], { stdio: 'pipe' }).toString();
    expect(parseHtpasswd(des)).toMatchObject({ entries: [], faults: [{ line: 1 }] });
    expect(parseHtpasswd(plain)).toMatchObject({ entries: [], faults: [{ line: 1 }] });
  });
});
