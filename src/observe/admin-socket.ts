/**
 * Opens the admin listener: a TCP port, or a unix socket that is ours alone (0600). A socket file is replaced only when
 * nobody answers on it; any other file is left alone.
 */
import { randomBytes } from 'node:crypto';
import { chmod, lstat, rename, rm } from 'node:fs/promises';
import { createConnection, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import type { ListenAddress } from '../config/config.ts';
import { PromgateError } from '../lib/errors.ts';

/** Removes what opening left in the file system; nothing for TCP. */
export type ReleaseSocket = () => Promise<void>;

/** @throws PromgateError PORT_TAKEN, LISTEN_FAILED or FILE_UNSAFE. */
export async function openAdminSocket(server: Server, address: ListenAddress): Promise<ReleaseSocket> {
  if (address.kind === 'unix') return openUnixSocket(server, address.path);
  const { host, port, text } = address;
  await listening(server, text, host === null ? { port, exclusive: true } : { host, port, exclusive: true });
  return async () => undefined;
}

function listening(
  server: Server,
  text: string,
  options: { host?: string; port?: number; path?: string; exclusive: true },
) {
  return new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      reject(listenError(error, text));
    };
    server.once('error', failed);
    server.listen(options, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function listenError(error: NodeJS.ErrnoException, text: string): PromgateError {
  return error.code === 'EADDRINUSE'
    ? new PromgateError('PORT_TAKEN', `admin_address ${text} is in use by another process`, {
        hint: 'stop the other process, or set another admin_address',
        cause: error,
      })
    : new PromgateError('LISTEN_FAILED', `cannot listen on admin_address ${text}: ${error.code ?? error.message}`, {
        cause: error,
      });
}

/** Listens under a name that nobody knows, closes it to others, and only then gives it its name: no moment is open. */
async function openUnixSocket(server: Server, path: string): Promise<ReleaseSocket> {
  await refuseToReplace(path);
  const hidden = join(dirname(path), `.${randomBytes(6).toString('hex')}`);
  await listening(server, `unix:${path}`, { path: hidden, exclusive: true });
  try {
    await chmod(hidden, 0o600);
    await rename(hidden, path);
  } catch (cause) {
    server.close();
    throw new PromgateError('LISTEN_FAILED', `cannot listen on admin_address unix:${path}`, { cause });
  }
  const ours = await lstat(path);
  return async () => {
    const found = await lstat(path).catch(() => null);
    if (found !== null && found.ino === ours.ino && found.dev === ours.dev) await rm(path, { force: true });
  };
}

async function refuseToReplace(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (!found.isSocket()) {
    throw new PromgateError('FILE_UNSAFE', `admin_address unix:${path} exists and is no socket`, {
      hint: 'move the file away, or set another admin_address',
    });
  }
  if (await answers(path)) {
    throw new PromgateError('PORT_TAKEN', `admin_address unix:${path} is in use by another process`, {
      hint: 'stop the other process, or set another admin_address',
    });
  }
}

/** Anything but a plain "nobody listens" counts as an answer: a live socket is never taken away. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}
