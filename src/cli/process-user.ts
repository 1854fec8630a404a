/** Who this process is, and becoming the user that runs the gate to see what that one sees. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Reader } from '../config/file-mode.ts';
import { PromgateError } from '../lib/errors.ts';
import { quoteForeign } from '../lib/foreign-text.ts';

/** null where the system has no users to tell apart. */
export function processUser(): Reader | null {
  const { geteuid, getegid, getgroups } = process;
  if (geteuid === undefined || getegid === undefined || getgroups === undefined) return null;
  const [uid, gid] = [geteuid(), getegid()];
  return {
    uid,
    gids: [...new Set([gid, ...getgroups()])],
    name: nameIn('/etc/passwd', uid),
    groupName: (id) => nameIn('/etc/group', id) ?? String(id),
  };
}

/**
 * Makes this process one of another user, for good: with the groups that the user has, and no right of root left.
 * @throws {PromgateError} USAGE when there is no such user, or when only root could.
 */
export function becomeUser(name: string): void {
  const [uid, gid] = [idOf('-u', name), idOf('-g', name)];
  if (process.geteuid?.() === uid && process.getegid?.() === gid) return;
  if (process.geteuid?.() !== 0) {
    throw new PromgateError('USAGE', `only root can look as ${quoteForeign(name)}`, {
      hint: 'run it as that user: runuser -u USER -- promgate check …, or with sudo -u USER',
    });
  }
  // The types of Node leave it out.
  (process as { initgroups?: (user: string, extraGroup: number) => void }).initgroups?.(name, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/** By the system's own program, which asks every source of users that the system has. */
function idOf(flag: '-u' | '-g', name: string): number {
  try {
    const text = execFileSync('id', [flag, '--', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number.parseInt(text, 10);
  } catch (cause) {
    throw new PromgateError('USAGE', `there is no user ${quoteForeign(name)}`, { cause });
  }
}

function nameIn(file: string, id: number): string | null {
  try {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [name, , number] = line.split(':');
      if (number === String(id) && name !== undefined && name !== '') return name;
    }
  } catch {
    // A container may have neither.
  }
  return null;
}
