/**
 * One password hash: text → its parsed fields, strictly. What passes here can be verified; what could never match is
 * refused with a message that repeats nothing of it.
 */
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

/** Plain data: it travels to the hashing worker. Digests and salts are in the text form of their scheme. */
export type HtpasswdHash =
  | { readonly scheme: 'apr1'; readonly salt: string; readonly digest: string }
  /** `text` is the whole hash; `$2a$`, `$2b$` and `$2y$` are the same function today. */
  | { readonly scheme: 'bcrypt'; readonly cost: number; readonly text: string }
  | { readonly scheme: 'sha1'; readonly digest: string }
  /** `digest` is base64 of SHA-1 and `salt` base64 of the bytes behind it. */
  | { readonly scheme: 'ssha'; readonly salt: string; readonly digest: string }
  | {
      readonly scheme: 'sha256-crypt' | 'sha512-crypt';
      readonly rounds: number;
      /** Whether the hash spells the rounds out; 5000 may be said or left out. */
      readonly explicitRounds: boolean;
      readonly salt: string;
      readonly digest: string;
    };

export const PASSWD_HINT = 'make a bcrypt hash with `promgate passwd FILE add USER`';

/** Those of every bcrypt. What costs much is checked apart from the rest, and warned of. */
const BCRYPT_COSTS = { least: 4, most: 31 };
/** crypt(5) raises anything below the least; the most takes about 1 s of a core. */
const SHA_CRYPT_ROUNDS = { least: 1000, most: 1_000_000, default: 5000 };
const LONGEST_SSHA_SALT = 64;

const APR1 = /^\$apr1\$([./0-9A-Za-z]{1,8})\$([./0-9A-Za-z]{21}[./01])$/;
/** Salt and digest end in characters whose unused bits are zero: another spelling would match no password. */
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]$/;
const SHA_CRYPT =
  /^\$[56]\$(?:rounds=([1-9]\d{0,8})\$)?([./0-9A-Za-z]{1,16})\$([./0-9A-Za-z]{42}[./0-9A-D]|[./0-9A-Za-z]{85}[./01])$/;

/** Reads one hash. Accepted: `$apr1$`, `$2a$ $2b$ $2y$`, `{SHA}`, `{SSHA}`, `$5$`, `$6$`. */
export function parseHash(text: string): Parsed<HtpasswdHash> {
  if (text.startsWith('$apr1$')) return parseApr1(text);
  if (/^\$2[aby]\$/.test(text)) return parseBcrypt(text);
  if (text.startsWith('{SHA}')) return parseSha1(text.slice(5));
  if (text.startsWith('{SSHA}')) return parseSsha(text.slice(6));
  if (text.startsWith('$5$') || text.startsWith('$6$')) return parseShaCrypt(text);
  if (/^\$\$[0-9a-z]{1,8}\$\$/.test(text)) {
    return unparsed('the dollars of the hash are doubled, as compose files have them', 'write $ for each $$');
  }
  return unparsed(refusal(text), PASSWD_HINT);
}

/** The text that `parseHash` reads back. */
export function formatHash(hash: HtpasswdHash): string {
  switch (hash.scheme) {
    case 'apr1':
      return `$apr1$${hash.salt}$${hash.digest}`;
    case 'bcrypt':
      return hash.text;
    case 'sha1':
      return `{SHA}${hash.digest}`;
    case 'ssha':
      return `{SSHA}${Buffer.concat([Buffer.from(hash.digest, 'base64'), Buffer.from(hash.salt, 'base64')]).toString('base64')}`;
    case 'sha256-crypt':
    case 'sha512-crypt': {
      const rounds = hash.explicitRounds ? `rounds=${String(hash.rounds)}$` : '';
      return `$${hash.scheme === 'sha256-crypt' ? '5' : '6'}$${rounds}${hash.salt}$${hash.digest}`;
    }
  }
}

function parseApr1(text: string): Parsed<HtpasswdHash> {
  const [, salt, digest] = APR1.exec(text) ?? [];
  if (salt === undefined || digest === undefined) return damaged('$apr1$');
  return parsed({ scheme: 'apr1', salt, digest });
}

function parseBcrypt(text: string): Parsed<HtpasswdHash> {
  const costText = BCRYPT.exec(text)?.[1];
  if (costText === undefined) return damaged('bcrypt');
  const cost = Number(costText);
  const { least, most } = BCRYPT_COSTS;
  if (cost < least || cost > most) {
    return unparsed(`the bcrypt cost is ${String(cost)}, expected ${String(least)} to ${String(most)}`, PASSWD_HINT);
  }
  return parsed({ scheme: 'bcrypt', cost, text });
}

function parseSha1(text: string): Parsed<HtpasswdHash> {
  return canonicalBase64(text)?.length === 20 ? parsed({ scheme: 'sha1', digest: text }) : damaged('{SHA}');
}

function parseSsha(text: string): Parsed<HtpasswdHash> {
  const bytes = canonicalBase64(text);
  if (bytes === null || bytes.length < 21 || bytes.length > 20 + LONGEST_SSHA_SALT) return damaged('{SSHA}');
  const digest = bytes.subarray(0, 20).toString('base64');
  return parsed({ scheme: 'ssha', digest, salt: bytes.subarray(20).toString('base64') });
}

function parseShaCrypt(text: string): Parsed<HtpasswdHash> {
  const scheme = text.startsWith('$5$') ? 'sha256-crypt' : 'sha512-crypt';
  const [, roundsText, salt, digest] = SHA_CRYPT.exec(text) ?? [];
  if (salt === undefined || digest?.length !== (scheme === 'sha256-crypt' ? 43 : 86)) return damaged(text.slice(0, 3));
  const rounds = roundsText === undefined ? SHA_CRYPT_ROUNDS.default : Number(roundsText);
  const { least, most } = SHA_CRYPT_ROUNDS;
  if (rounds < least || rounds > most) {
    const found = `the hash has rounds=${String(rounds)}, expected ${String(least)} to ${String(most)}`;
    return unparsed(found, PASSWD_HINT);
  }
  return parsed({ scheme, rounds, explicitRounds: roundsText !== undefined, salt, digest });
}

/** Buffer.from skips what is not base64: only a text that comes out again as it went in counts. */
function canonicalBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

function damaged(scheme: string): Parsed<never> {
  return unparsed(`the ${scheme} hash is damaged: wrong length or characters`, PASSWD_HINT);
}

/** Names the scheme where a fixed list knows it, and nothing else of the text. */
function refusal(text: string): string {
  if (text === '') return 'the password hash is empty';
  if (text.trim() !== text) return 'white space before or after the password hash';
  if (text.startsWith('$2x$')) return '$2x$ hashes come from a broken bcrypt and are not accepted';
  const known = UNSUPPORTED.find(([prefix]) => text.startsWith(prefix));
  if (known !== undefined) return `${known[1]} is not an accepted password hash`;
  // DES crypt and plain text of 13 characters look the same.
  if (/^[./0-9A-Za-z]{13}$/.test(text)) return 'DES crypt (or plain text) is not an accepted password hash';
  return 'unknown password hash, or a password in plain text';
}

const UNSUPPORTED: readonly (readonly [prefix: string, name: string])[] = [
  ['{PLAIN}', '{PLAIN}'],
  ['{CLEARTEXT}', '{CLEARTEXT}'],
  ['{CRYPT}', '{CRYPT}'],
  ['{MD5}', '{MD5}'],
  ['{SMD5}', '{SMD5}'],
  ['$1$', 'MD5 crypt ($1$)'],
  ['$2$', 'the first bcrypt ($2$)'],
  ['$7$', 'scrypt'],
  ['$y$', 'yescrypt'],
  ['$gy$', 'gost-yescrypt'],
  ['$md5', 'SunMD5'],
  ['$sha1$', 'PBKDF1 ($sha1$)'],
  ['$argon2', 'argon2'],
  ['$pbkdf2', 'PBKDF2'],
  ['$scrypt$', 'scrypt'],
];
