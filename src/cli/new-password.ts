/** What may become a user and a password, and the hash that is stored. A password never enters a message. */
import { randomBytes } from 'node:crypto';
import { hash } from 'bcryptjs';
import { userFault } from '../formats/htpasswd.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';

export const DEFAULT_COST = 10;
export const HIGHEST_COST = 16;
/** bcrypt reads no more; two longer passwords with the same beginning would be one. */
const LONGEST_PASSWORD_BYTES = 72;
/** 32 characters that nobody takes for one another, so that a byte maps onto them evenly. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
const RANDOM_LENGTH = 28;

/** A user whose line an htpasswd file can hold and nobody misreads; stricter than what is read (`userFault`). */
export function checkUser(user: string): Parsed<string> {
  const fault = userFault(user);
  if (fault !== null) return unparsed(fault);
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(user)) return unparsed('an invisible character in the user name');
  return user.startsWith('#') ? unparsed('a user name that begins with # would make its line a comment') : parsed(user);
}

export function checkNewPassword(password: string): Parsed<string> {
  if (password === '') return unparsed('the password is empty');
  if (/\p{Cc}/u.test(password)) return unparsed('a password cannot contain control characters (RFC 7617)');
  if (Buffer.byteLength(password) > LONGEST_PASSWORD_BYTES) {
    return unparsed(
      `the password has more than ${String(LONGEST_PASSWORD_BYTES)} bytes`,
      'bcrypt ignores what comes after them; take a shorter one',
    );
  }
  return parsed(password);
}

/** bcrypt with the prefix that htpasswd(1), nginx and Prometheus write and read. */
export async function hashPassword(password: string, cost: number = DEFAULT_COST): Promise<string> {
  return (await hash(password, cost)).replace(/^\$2[ab]\$/, '$2y$');
}

/** 140 bits at random. */
export function randomPassword(): string {
  return Array.from(randomBytes(RANDOM_LENGTH), (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
}
