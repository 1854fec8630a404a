/** Plans the first user. Its password is shown once on a terminal, else written to a private file; never to a log. */
import { lstat } from 'node:fs/promises';
import { parseHtpasswd } from '../../formats/htpasswd.ts';
import { verifyPassword } from '../../formats/password-hash.ts';
import { PromgateError } from '../../lib/errors.ts';
import { checkNewPassword, hashPassword, randomPassword } from '../new-password.ts';
import { readIfThere } from './layout.ts';
import type { Layout } from './layout.ts';
import { newFile, NOTHING_TO_DO } from './plan.ts';
import type { Plan } from './plan.ts';

export const FIRST_USER = 'prometheus';

export interface CredentialsPlan {
  readonly plan: Plan;
  /** What to say of the password once it counts: `file`, it is in `initial-password`; `stale`, the one there no longer is. */
  readonly password: { readonly kind: 'none' | 'file' | 'stale' } | { readonly kind: 'show'; readonly text: string };
}

/**
 * @param canShow whether a person reads what is printed.
 * @throws {PromgateError} FILE_UNSAFE when a file is there that cannot be read or is not private.
 */
export async function planCredentials(layout: Layout, canShow: boolean): Promise<CredentialsPlan> {
  const users = await readIfThere(layout.htpasswd);
  if (users !== null) return { plan: NOTHING_TO_DO, password: { kind: await firstPasswordState(layout, users) } };
  const left = await leftPassword(layout.initialPassword);
  const password = left ?? randomPassword();
  const writes = [newFile(layout.htpasswd, `${FIRST_USER}:${await hashPassword(password)}\n`, 0o600)];
  if (left !== null) return { plan: { ...NOTHING_TO_DO, writes }, password: { kind: 'file' } };
  if (canShow) return { plan: { ...NOTHING_TO_DO, writes }, password: { kind: 'show', text: password } };
  // Before the hash: an interruption in between leaves a password that the next run takes up, not one that nobody knows.
  writes.unshift(newFile(layout.initialPassword, `${password}\n`, 0o600));
  return { plan: { ...NOTHING_TO_DO, writes }, password: { kind: 'file' } };
}

/** Whether `initial-password` is there, and still opens the door. */
async function firstPasswordState({ initialPassword }: Layout, users: string): Promise<'none' | 'file' | 'stale'> {
  const text = await readIfThere(initialPassword).catch(() => null);
  if (text === null) return 'none';
  const own = parseHtpasswd(users).entries.filter(({ user }) => user === FIRST_USER);
  return own.some(({ hash }) => verifyPassword(hash, withoutNewline(text))) ? 'file' : 'stale';
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
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
  const password = withoutNewline((await readIfThere(path)) ?? '');
  const checked = checkNewPassword(password);
  if (checked.ok) return password;
  throw new PromgateError('FILE_UNSAFE', `${path}: ${checked.message}`, { hint: 'move it away; init makes a new one' });
}
