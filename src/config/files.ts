/**
 * Reads the files that the operator owns: regular ones, bounded, once per load. A pipe or a device never blocks it. It
 * remembers every name it was asked for, found or not: those are the files to watch.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, stat as statOf } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { DocumentPath, Problem } from '../lib/problem.ts';
import type { ConfigSource } from './config.ts';
import { accessHint } from './file-mode.ts';
import type { Permissions, ReadFile, Reader } from './file-mode.ts';

export const LARGEST_FILE = 16 * 1024 * 1024;

export interface FileText extends ReadFile {
  readonly text: string;
  /** As it is named in messages: relative names are relative to the configuration file. */
  readonly name: string;
}

export type FileResult =
  ({ readonly ok: true } & FileText) | { readonly ok: false; readonly problem: Problem; readonly isMissing: boolean };

export interface WatchedFile {
  /** Absolute. */
  readonly path: string;
  readonly source: ConfigSource;
  /** Of what was read: a watcher that starts later knows by it whether the file has changed since. */
  readonly digest: string;
}

/** Where a file name stands in the YAML, and to which group the file belongs. */
export interface FileUse {
  readonly path: DocumentPath;
  readonly source: ConfigSource;
}

export interface OperatorFiles {
  /** Reads a file named in the configuration. */
  read(written: string, use: FileUse): Promise<FileResult>;
  /** Every file that was asked for, absolute. */
  used(): readonly WatchedFile[];
}

/**
 * @param configFile the configuration file's name; relative names in it are relative to its directory.
 * @param reader for what is said of permissions.
 */
export function operatorFiles(configFile: string, reader: Reader | null = null): OperatorFiles {
  const used = new Map<string, WatchedFile>();
  return {
    async read(written, { path, source }) {
      const pasted = pastedText(written, path);
      if (pasted !== null) return { ok: false, problem: pasted, isMissing: false };
      const name = isAbsolute(written) ? written : join(dirname(configFile), written);
      const absolute = resolve(name);
      const result = await readRegularFile(name, reader);
      used.set(`${source} ${absolute}`, { path: absolute, source, digest: result.digest });
      if (result.ok) {
        const directory = await statOf(dirname(absolute)).catch(() => result);
        // Editors of Windows put a BOM before passwords and certificates; nothing that is read here begins with one.
        const text = result.text.replace(/^\ufeff/, '');
        return { ...result, ok: true, name, text, directory, isFixed: await isReadOnly(name), reader };
      }
      const { message, hint, code } = result;
      const problem: Problem = { severity: 'error', message, path, ...(hint === undefined ? {} : { hint }) };
      return { ok: false, problem, isMissing: code === 'ENOENT' };
    },
    used: () => [...used.values()],
  };
}

/** Keys of tls_server_config that take a text, by those that take the name of a file with it. */
const INLINE: Readonly<Record<string, string>> = { cert_file: 'cert', key_file: 'key', client_ca_file: 'client_ca' };
/** The base64 of any DER begins with M. */
const DER_AS_TEXT = /^M[A-Za-z0-9+/]{63,}=*$/;

/** The text of a file where its name belongs: it may be a private key, and is not repeated. */
function pastedText(written: string, path: DocumentPath): Problem | null {
  if (!/[\r\n]|-----BEGIN/.test(written) && !DER_AS_TEXT.test(written)) return null;
  const key = String(path.at(-1));
  const inline = path.length === 2 && Object.hasOwn(INLINE, key) ? INLINE[key] : undefined;
  const isPem = /cert|key|ca|crl/.test(String(path.findLast((step) => typeof step === 'string')));
  return {
    severity: 'error',
    message: `this is the text of a ${isPem ? 'key or certificate' : 'file'}, not the name of a file`,
    hint: inline === undefined ? 'write the text into a file of its own' : `write the text under \`${inline}:\``,
    path,
  };
}

export type ReadResult = {
  /** Changes with the content, or with the reason why there is none. */ readonly digest: string;
} & (
  | ({ readonly ok: true; readonly text: string } & Permissions)
  | {
      readonly ok: false;
      readonly message: string;
      readonly hint?: string;
      /** Of the system. */ readonly code?: string;
    }
);

/** Reads a regular file of at most 16 MiB as UTF-8; what goes wrong is a sentence with the way out. */
export async function readRegularFile(name: string, reader: Reader | null = null): Promise<ReadResult> {
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK the opening of a named pipe waits for a writer.
    handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) return fault(name, stat.isDirectory() ? 'is a directory' : 'is not a regular file');
    if (stat.size > LARGEST_FILE) return fault(name, 'is larger than 16 MiB');
    const content = await readBounded(handle);
    if (content === null) return fault(name, 'is larger than 16 MiB');
    const digest = createHash('sha256').update(content).digest('hex');
    const { mode, uid, gid } = stat;
    return { ok: true, text: content.toString('utf8'), mode: mode & 0o777, uid, gid, digest };
  } catch (error) {
    return await unreadable(name, (error as NodeJS.ErrnoException).code ?? 'unknown error', reader);
  } finally {
    await handle?.close().catch(() => undefined);
  }
}

/** A file may grow while it is read. */
async function readBounded(handle: FileHandle): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(64 * 1024), 0, 64 * 1024, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    size += bytesRead;
    if (size > LARGEST_FILE) return null;
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

function fault(name: string, what: string, hint?: string): ReadResult & { readonly ok: false } {
  const message = `${JSON.stringify(name)} ${what}`;
  return { ok: false, message, digest: message, ...(hint === undefined ? {} : { hint }) };
}

async function unreadable(name: string, code: string, reader: Reader | null): Promise<ReadResult> {
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const hint = 'relative names are relative to the directory of the configuration file';
    return { ...fault(name, 'does not exist', hint), code: 'ENOENT' };
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return fault(name, 'cannot be read: permission denied', await accessHint(name, reader));
  }
  return fault(name, `cannot be read: ${code}`);
}

/** Whether its file system is mounted read-only: nothing can be mended there. */
async function isReadOnly(name: string): Promise<boolean> {
  return access(name, constants.W_OK).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'EROFS',
  );
}
