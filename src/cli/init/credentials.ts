/** Plans the first user. Its password is shown once on a terminal, else written to a private file; never to a log. */
import { lstat } from 'node:fs/promises';
import { PromgateError } from '../../lib/errors.ts';
import { checkNewPassword, hashPassword, randomPassword } from '../new-password.ts';
import { readIfThere } from './layout.ts';
import type { Layout } from './layout.ts';
import { newFile, NOTHING_TO_DO } from './plan.ts';
import type { Plan } from './plan.ts';

export const FIRST_USER = 'prometheus';

export interface CredentialsPlan {
  readonly plan: Plan;
  /** What to do with the password once it counts; `file`: it is in `initial-password`. */
  readonly password: { readonly kind: 'none' | 'file' } | { readonly kind: 'show'; readonly text: string };
}

/**
 * @param canShow whether a person reads what is printed.
 * @throws {PromgateError} FILE_UNSAFE when a file is there that cannot be read or is not private.
 */
export async function planCredentials(layout: Layout, canShow: boolean): Promise<CredentialsPlan> {
  if ((await readIfThere(layout.htpasswd)) !== null) return { plan: NOTHING_TO_DO, password: { kind: 'none' } };
  const left = await leftPassword(layout.initialPassword);
  const password = left ?? randomPassword();
  const writes = [newFile(layout.htpasswd, `${FIRST_USER}:${await hashPassword(password)}\n`, 0o600)];
  if (left !== null) return { plan: { ...NOTHING_TO_DO, writes }, password: { kind: 'file' } };
  if (canShow) return { plan: { ...NOTHING_TO_DO, writes }, password: { kind: 'show', text: password } };
  // Before the hash: an interruption in between leaves a password that the next run takes up, not one that nobody knows.
  writes.unshift(newFile(layout.initialPassword, `${password}\n`, 0o600));
  return { plan: { ...NOTHING_TO_DO, writes }, password: { kind: 'file' } };
}

/** The password that an interrupted run left; null when there is none. Nobody else may have chosen or read it. */
async function leftPassword(path: string): Promise<string | null> {
  const stats = await lstat(path).catch(() => null);
  if (stats === null) return null;
  const isOurs = process.getuid === undefined || stats.uid === process.getuid();
  if (!stats.isFile() || !isOurs || (stats.mode & 0o077) !== 0) {
    throw new PromgateError('FILE_UNSAFE', `${path} is there, but is not a private file of this user`, {
      hint: 'move it away; init makes a new password',
    });
  }
  const password = ((await readIfThere(path)) ?? '').replace(/\r?\n$/, '');
  const checked = checkNewPassword(password);
  if (checked.ok) return password;
  throw new PromgateError('FILE_UNSAFE', `${path}: ${checked.message}`, { hint: 'move it away; init makes a new one' });
}
