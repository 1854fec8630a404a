/** `promgate passwd FILE add|verify|remove USER`: the users of an htpasswd file, in a format that all its readers know. */
import { readFile, stat } from 'node:fs/promises';
import { parseHtpasswd } from '../../formats/htpasswd.ts';
import { verifyPassword } from '../../formats/password-hash.ts';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { createFile, replaceFile } from '../../lib/private-file.ts';
import { addUser, removeUser } from '../htpasswd-edit.ts';
import { checkNewPassword, checkUser, DEFAULT_COST, hashPassword, HIGHEST_COST } from '../new-password.ts';
import { processPasswordInput } from '../password-prompt.ts';
import type { PasswordInput } from '../password-prompt.ts';
import { printError } from '../terminal.ts';
import type { Terminal } from '../terminal.ts';

export interface PasswdOptions {
  readonly file: string;
  readonly action: 'add' | 'verify' | 'remove';
  readonly user: string;
  /** add: the user's former passwords stay valid, so that one is rotated without a gap. */
  readonly keepOld?: boolean;
  /** add: bcrypt cost from 10 to 16; each step doubles the time of a check. */
  readonly cost?: number;
}

const LARGEST_FILE = 16 * 1024 * 1024;

/**
 * @returns 0 when it is done or the password is right, 1 when not.
 * @throws {PromgateError} USAGE, PASSWORD_REFUSED, FILE_UNSAFE or FILE_WRITE.
 */
export async function passwdCommand(
  options: PasswdOptions,
  terminal: Terminal,
  input: PasswordInput = processPasswordInput(),
): Promise<number> {
  const user = checkUser(options.user);
  if (!user.ok) throw new PromgateError('USAGE', user.message);
  switch (options.action) {
    case 'add':
      return add(options, terminal, input);
    case 'verify':
      return verify(options, terminal, input);
    case 'remove':
      return remove(options, terminal);
  }
}

async function add(options: PasswdOptions, terminal: Terminal, input: PasswordInput): Promise<number> {
  const { file, user, keepOld = false, cost = DEFAULT_COST } = options;
  if (!Number.isInteger(cost) || cost < DEFAULT_COST || cost > HIGHEST_COST) {
    throw new PromgateError(
      'USAGE',
      `cost is ${String(cost)}, expected ${String(DEFAULT_COST)} to ${String(HIGHEST_COST)}`,
    );
  }
  const password = await newPassword(user, input);
  const hash = await hashPassword(password, cost);
  // Read after the password was typed and hashed: what somebody else wrote in these seconds is kept.
  const text = await readText(file);
  const edited = addUser(text ?? '', user, hash, keepOld ? 'keepOld' : 'replace');
  if (text === null) await createFile(file, Buffer.from(edited.text, 'latin1'));
  else await replaceText(file, edited.text, terminal);
  const name = quoteForeign(user);
  if (keepOld && edited.before > 0) {
    terminal.out(`${file}: ${name} has ${String(edited.before + 1)} valid passwords now`);
  } else if (edited.before > 1) {
    terminal.out(`${file}: ${tellReplaced(name, edited.before, linesWith(password, user, text ?? ''))}`);
  } else {
    terminal.out(`${file}: ${edited.before === 0 ? 'added' : 'changed the password of'} ${name}`);
  }
  return 0;
}

/** The end of a rotation, told apart from a slip of the finger: whether the password that stays was valid already. */
function tellReplaced(name: string, before: number, kept: number): string {
  const removed = before - kept;
  const count = `${String(removed)} old ${removed === 1 ? 'password' : 'passwords'} removed`;
  return kept > 0 ? `${count}; ${name} has 1 valid password now` : `changed the password of ${name}; ${count}`;
}

/** How many lines of the user have this password. */
function linesWith(password: string, user: string, latin1: string): number {
  const { entries } = parseHtpasswd(Buffer.from(latin1, 'latin1').toString('utf8'));
  return entries.filter((entry) => entry.user === user && verifyPassword(entry.hash, password)).length;
}

async function newPassword(user: string, input: PasswordInput): Promise<string> {
  const password = await input.read(`New password for ${quoteForeign(user)}: `);
  const checked = checkNewPassword(password);
  if (!checked.ok) {
    throw new PromgateError(
      'PASSWORD_REFUSED',
      checked.message,
      checked.hint === undefined ? {} : { hint: checked.hint },
    );
  }
  if (input.isTerminal && (await input.read('Once more: ')) !== password) {
    throw new PromgateError('PASSWORD_REFUSED', 'the two passwords differ; nothing was changed');
  }
  return password;
}

async function verify({ file, user }: PasswdOptions, terminal: Terminal, input: PasswordInput): Promise<number> {
  const { entries, faults } = parseHtpasswd((await existingText(file)).utf8);
  const own = entries.filter((entry) => entry.user === user);
  const name = quoteForeign(user);
  for (const fault of faults) terminal.err(`promgate: warning: ${file}:${String(fault.line)}: ${fault.message}`);
  if (own.length === 0) {
    printError(terminal, `${file} has no usable line for ${name}`);
    return 1;
  }
  const password = await input.read(`Password for ${name}: `);
  if (!own.some((entry) => verifyPassword(entry.hash, password))) {
    printError(terminal, `wrong password for ${name}`);
    return 1;
  }
  terminal.out(`${file}: the password of ${name} is right`);
  return 0;
}

async function remove({ file, user }: PasswdOptions, terminal: Terminal): Promise<number> {
  const edited = removeUser((await existingText(file)).latin1, user);
  if (edited.before === 0) {
    printError(terminal, `${file} has no line for ${quoteForeign(user)}`);
    return 1;
  }
  await replaceText(file, edited.text, terminal);
  terminal.out(`${file}: removed ${quoteForeign(user)}`);
  return 0;
}

async function replaceText(file: string, latin1: string, terminal: Terminal): Promise<void> {
  const { ownerKept } = await replaceFile(file, Buffer.from(latin1, 'latin1'));
  if (ownerKept) return;
  terminal.err(`promgate: warning: ${file} has another owner now, and its group may no longer read it`);
  terminal.err('promgate: hint: run the command as the owner of the file, or give it back with chown and chmod');
}

async function existingText(file: string): Promise<{ latin1: string; utf8: string }> {
  const latin1 = await readText(file);
  if (latin1 === null) {
    throw new PromgateError('FILE_UNSAFE', `${file} does not exist`, {
      hint: '`promgate passwd FILE add USER` makes it',
    });
  }
  return { latin1, utf8: Buffer.from(latin1, 'latin1').toString('utf8') };
}

/** Latin-1 decoded, so that every byte survives; null when there is no such file. */
async function readText(file: string): Promise<string | null> {
  try {
    const { size } = await stat(file);
    if (size > LARGEST_FILE) throw new PromgateError('FILE_UNSAFE', `${file} is larger than 16 MiB`);
    return await readFile(file, 'latin1');
  } catch (error) {
    if (error instanceof PromgateError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT') return null;
    throw new PromgateError('FILE_UNSAFE', `cannot read ${file}: ${code}`, { cause: error });
  }
}
