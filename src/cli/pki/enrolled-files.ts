/** What a client keeps of its enrollment: NAME.key, NAME.crt, NAME.ca.crt, and where it got them: NAME.enrollment.json. */
import { lstat } from 'node:fs/promises';
import * as z from 'zod';
import { PromgateError } from '../../lib/errors.ts';
import { createFile, replaceFile } from '../../lib/private-file.ts';
import { readIfThere } from '../../tls/authority/authority-directory.ts';
import { generateKey, isUsableKey } from '../../tls/authority/keys.ts';
import type { KeyType } from '../../tls/authority/keys.ts';
import type { Terminal } from '../terminal.ts';
import { issuedPaths } from './issued-files.ts';

export interface EnrolledPaths {
  readonly key: string;
  readonly request: string;
  readonly cert: string;
  /** The CAs of the certificate and of the gate. */
  readonly ca: string;
  readonly state: string;
}

export interface EnrollmentState {
  /** `https://host:port`. */
  readonly gate: string;
  /** A file with the CAs that the gate is verified against; null: those of the system. */
  readonly caFile: string | null;
}

const VERSION = 1;
const OTHERS_MAY_READ = 0o077;

const document = z.strictObject({
  version: z.literal(VERSION),
  gate: z.string(),
  ca_file: z.string().nullable(),
});

/** @throws {PromgateError} USAGE when no file can be called so. */
export function enrolledPaths(directory: string, name: string): EnrolledPaths {
  const { key, cert } = issuedPaths(directory, name);
  const path = (suffix: string): string => cert.replace(/\.crt$/, suffix);
  return { key, cert, request: path('.csr'), ca: path('.ca.crt'), state: path('.enrollment.json') };
}

/**
 * The key of an attempt before, or a new one, which is on the disk before anything is asked with it.
 * @throws {PromgateError} FILE_UNSAFE when the one that is there is not private or not of our kind, FILE_WRITE.
 */
export async function ownKey({ key: path }: EnrolledPaths, type: KeyType, terminal: Terminal): Promise<string> {
  const there = await readIfThere(path);
  if (there === null) {
    const key = generateKey(type);
    await createFile(path, key, 0o600);
    terminal.err(`promgate: wrote ${path}`);
    return key;
  }
  if (((await lstat(path)).mode & OTHERS_MAY_READ) !== 0) {
    throw new PromgateError('FILE_UNSAFE', `${path} is there already, and others may read it`, {
      hint: 'move it away: a new one is made then',
    });
  }
  if (!isUsableKey(there)) {
    throw new PromgateError('FILE_UNSAFE', `${path} is not a key that can be certified`, { hint: 'move it away' });
  }
  terminal.err(`promgate: the key is ${path}, which was there already`);
  return there;
}

/** @throws {PromgateError} FILE_UNSAFE when it is damaged. */
export async function readState({ state: path }: EnrolledPaths): Promise<EnrollmentState | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  const read = document.safeParse(parseJson(text));
  if (read.success) return { gate: read.data.gate, caFile: read.data.ca_file };
  throw new PromgateError('FILE_UNSAFE', `${path} is damaged`, {
    hint: 'move it away, and say where the gate is with --gate=URL and --ca-file=FILE',
  });
}

export function printState({ gate, caFile }: EnrollmentState): string {
  return `${JSON.stringify({ version: VERSION, gate, ca_file: caFile }, null, 2)}\n`;
}

/** Puts content in the place of what is there, as a whole, or makes it; says so when it changes something. */
export async function putFile(path: string, text: string, terminal: Terminal): Promise<void> {
  const there = await readIfThere(path);
  if (there === text) return;
  if (there === null) await createFile(path, text, 0o644);
  else await replaceFile(path, text);
  terminal.err(`promgate: wrote ${path}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
