/**
 * htpasswd files as htpasswd(1) and nginx know them: text → users with parsed hashes, and a fault for every other line.
 * A fault must never repeat a hash or what may be a password in plain text.
 */
import { createHash } from 'node:crypto';
import { parseHash, PASSWD_HINT, type HtpasswdHash } from './htpasswd-hash.ts';

export { formatHash, parseHash, type HtpasswdHash } from './htpasswd-hash.ts';

export interface HtpasswdEntry {
  readonly user: string;
  readonly hash: HtpasswdHash;
  /** What `credentialId` makes of user and hash: changes with the line, reveals nothing that the file does not. */
  readonly id: string;
  /** From 1. */
  readonly line: number;
}

export interface HtpasswdFault {
  readonly line: number;
  readonly message: string;
  readonly hint?: string;
}

export interface HtpasswdFile {
  readonly entries: readonly HtpasswdEntry[];
  readonly faults: readonly HtpasswdFault[];
}

/** htpasswd(1) takes no longer name. */
const LONGEST_USER = 255;

/** The id of one accepted password of a user: SHA-256 of user, NUL and hash, in hex. */
export function credentialId(user: string, hash: string): string {
  return createHash('sha256').update(`${user}\0${hash}`).digest('hex');
}

/** Why a name cannot be a user's, null when it can: also asked for the keys of `basic_auth_users`. */
export function userFault(user: string): string | null {
  if (user === '') return 'the user name is empty';
  if (user.includes(':')) return 'a user name cannot hold a colon';
  if (user.includes('\ufffd')) return 'the user name is not UTF-8';
  if (user.trim() !== user) return 'white space before or after the user name';
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f-\x9f]/.test(user)) return 'a control character in the user name';
  return Buffer.byteLength(user) > LONGEST_USER ? `the user name is longer than ${String(LONGEST_USER)} bytes` : null;
}

/**
 * Reads a whole file. Blank lines, comments (`#` first), a BOM, CRLF and fields after the hash are fine; a user may
 * have several lines. Exact repetitions of a line count once.
 */
export function parseHtpasswd(text: string): HtpasswdFile {
  const entries = new Map<string, HtpasswdEntry>();
  const faults: HtpasswdFault[] = [];
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  for (const [index, content] of lines.entries()) {
    if (content.trim() === '' || content.startsWith('#')) continue;
    const read = parseLine(content, index + 1);
    if ('message' in read) faults.push(read);
    else if (!entries.has(read.id)) entries.set(read.id, read);
  }
  return { entries: [...entries.values()], faults };
}

function parseLine(content: string, line: number): HtpasswdEntry | HtpasswdFault {
  // The third field and what follows are somebody's comment: nginx ignores them.
  const [user = '', hashText] = content.split(':', 2);
  if (hashText === undefined) {
    return { line, message: 'no colon between user and hash', hint: PASSWD_HINT };
  }
  const fault = userFault(user);
  if (fault !== null) return { line, message: fault, hint: PASSWD_HINT };
  const hash = parseHash(hashText);
  if (!hash.ok) return { line, message: hash.message, hint: hash.hint ?? PASSWD_HINT };
  return { user, hash: hash.value, id: credentialId(user, hashText), line };
}
