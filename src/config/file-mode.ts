/**
 * Who may read a file, and the command that mends it. What is asked for must work: a hint never takes away from the gate
 * what it reads by, and a mode that cannot be otherwise is no fault.
 */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { DocumentPath, Problem } from '../lib/problem.ts';

/** The user that reads: the gate, or who looks in its place. */
export interface Reader {
  readonly uid: number;
  /** The primary one first. */
  readonly gids: readonly number[];
  /** null: the system does not know one. */
  readonly name: string | null;
  /** As commands take it: the name, else the number. */
  groupName(gid: number): string;
}

/** What stat says of a file or directory. */
export interface Permissions {
  /** Permission bits, setgid included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A file as far as its permissions are concerned. */
export interface ReadFile extends Permissions {
  readonly name: string;
  /** Of the directory that it is in. */
  readonly directory: Permissions;
  /** Its file system is mounted read-only. */
  readonly isFixed: boolean;
  /** null: not known, the owner of the file is assumed. */
  readonly reader: Reader | null;
}

const GROUP_READS = 0o040;
const OTHERS_READ = 0o004;
const SETGID = 0o2000;

/**
 * A warning when a secret file is open to more users than it needs.
 * @param readers who has a use for it besides the gate: htpasswd files belong to the group of several servers at times.
 */
export function modeProblem(file: ReadFile, path: DocumentPath, readers: 'owner' | 'group'): Problem | null {
  const isOpenToAll = (file.mode & OTHERS_READ) !== 0;
  const isOpenToGroup = readers === 'owner' && (file.mode & GROUP_READS) !== 0 && !needsGroup(file);
  if (!isOpenToAll && !isOpenToGroup) return null;
  const mode = (file.mode & 0o777).toString(8).padStart(4, '0');
  const who = isOpenToAll ? 'every user of this machine' : 'its group';
  const command = narrow(file, readers);
  return {
    severity: 'warning',
    message: `${JSON.stringify(file.name)} can be read by ${who} (mode ${mode})`,
    hint: file.isFixed ? `it is mounted read-only: there where it comes from, ${command}` : command,
    path,
  };
}

/** Whether the group's right to read is what the gate reads by, or comes back by itself. */
function needsGroup({ uid, gid, directory, reader }: ReadFile): boolean {
  if (reader === null) return false;
  // Root reads anyway: the group is how its owner lets the gate read.
  if (uid !== reader.uid || reader.uid === 0) return true;
  // A volume with the fsGroup of Kubernetes: whatever is made there belongs to the group.
  return (directory.mode & SETGID) !== 0 && directory.gid === gid;
}

/** The command after which fewer may read, and the gate still does. */
function narrow(file: ReadFile, readers: 'owner' | 'group'): string {
  const { name, mode, uid, gid, directory, reader } = file;
  const byOwner = chmod(mode & (readers === 'owner' ? 0o700 : 0o770), name);
  if (reader === null) return byOwner;
  const byGroup = chmod((mode & 0o770) | GROUP_READS, name);
  if (reader.uid !== 0) {
    if (uid === reader.uid) return byOwner;
    if (reader.gids.includes(gid)) return byGroup;
    return `chgrp ${reader.groupName(reader.gids[0] ?? 0)} ${quoted(name)} && ${byGroup}`;
  }
  // Root has no way to know who runs the gate, but by whom the file or its directory was given to.
  if (uid !== 0) return chmod(mode & 0o770, name);
  if (gid !== 0) return byGroup;
  const given = directory.gid === 0 ? null : reader.groupName(directory.gid);
  if (given !== null) return `chgrp ${given} ${quoted(name)} && ${byGroup}`;
  return 'let only the user of the gate read it: `promgate check --user=NAME` says by which command';
}

/** The command by which the reader gets what was refused; a sentence where that cannot be told. */
export async function accessHint(name: string, reader: Reader | null): Promise<string> {
  if (reader === null) return 'let the user that runs promgate read it, and pass every directory above it';
  const chain: string[] = [];
  for (let path = resolve(name); chain.at(-1) !== path; path = dirname(path)) chain.push(path);
  for (const path of chain.reverse()) {
    const found = await stat(path).catch(() => null);
    if (found === null) break;
    const right = found.isDirectory() ? 'x' : 'r';
    const grant = grantOf(found, path === resolve(name) ? name : path, right, reader);
    if (grant !== null) return grant;
  }
  return 'let the user that runs promgate read it, and pass every directory above it';
}

/** null: the reader has that right, as far as the mode tells. */
function grantOf({ mode, uid, gid }: Permissions, name: string, right: 'r' | 'x', reader: Reader): string | null {
  const bit = right === 'r' ? 4 : 1;
  const path = quoted(name);
  if (uid === reader.uid) return (mode & (bit << 6)) === 0 ? `chmod u+${right} ${path}` : null;
  const groupMay = (mode & (bit << 3)) !== 0;
  if (reader.gids.includes(gid)) return groupMay ? null : `chmod g+${right} ${path}`;
  if ((mode & bit) !== 0) return null;
  // Somebody else reads by this group: to join it takes nothing from them.
  if (groupMay && gid !== 0 && reader.name !== null) return `usermod -aG ${reader.groupName(gid)} ${reader.name}`;
  return `chgrp ${reader.groupName(reader.gids[0] ?? 0)} ${path} && chmod g+${right} ${path}`;
}

function chmod(mode: number, name: string): string {
  return `chmod ${mode.toString(8).padStart(4, '0')} ${quoted(name)}`;
}

/** For a shell. */
function quoted(name: string): string {
  return /^[\w./+@%:,-]+$/.test(name) && !name.startsWith('-') ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}
