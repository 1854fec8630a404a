/** The sockets that listen: opened all or none, with a clear way out when one cannot be opened. */
import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ListenAddress } from '../config/config.ts';
import { PromgateError } from '../lib/errors.ts';
import type { Log } from '../observe/ports.ts';
import type { BoundAddress, InheritedSocket } from './ports.ts';

/** A peer that vanished without a word is found out by TCP itself, also while an endless answer is silent. */
const KEEP_ALIVE_MS = 60_000;
const OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
/** What waits for a process during a restart; the kernel has a bound of its own. */
const BACKLOG = 4096;

export type OnSocket = (socket: Socket, kind: ListenAddress['kind']) => void;

/** @throws PromgateError PORT_TAKEN or LISTEN_FAILED; what was opened before is closed again. */
export async function openAll(
  addresses: readonly ListenAddress[],
  { log, inherited }: { readonly log: Log; readonly inherited: readonly InheritedSocket[] },
  onSocket: OnSocket,
): Promise<Server[]> {
  const opened: Server[] = [];
  const served = new Set<ListenAddress>();
  try {
    for (const socket of inherited) {
      const { server, address } = await takeOver(socket, addresses, onSocket);
      opened.push(server);
      served.add(address);
    }
    for (const address of addresses) if (!served.has(address)) opened.push(await open(address, onSocket));
    for (const server of opened) {
      // No more file handles, for one: what is open lives on, and accepting goes on when there are some again.
      server.on('error', (error: NodeJS.ErrnoException) => {
        log.error({ code: error.code }, 'a connection could not be accepted');
      });
    }
  } catch (error) {
    for (const server of opened) server.close();
    throw error;
  }
  return opened;
}

export function boundAddress(server: Server): BoundAddress {
  const address = server.address();
  if (address === null) return { host: '', port: 0 };
  return typeof address === 'string'
    ? { host: `unix:${address}`, port: 0 }
    : { host: address.address, port: address.port };
}

async function open(address: ListenAddress, onSocket: OnSocket): Promise<Server> {
  try {
    return await listenOn(address, onSocket);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' || address.kind !== 'unix') throw explained(address, error);
    if (!(await isAbandoned(address.path))) throw explained(address, error);
  }
  await unlink(address.path);
  return listenOn(address, onSocket).catch((error: unknown) => {
    throw explained(address, error);
  });
}

/**
 * Serves a socket that listens already. Whoever holds it goes on holding it: what comes in while no process serves it waits.
 * @throws PromgateError when it is none, or is not what the configuration says: what is served was judged there.
 */
async function takeOver(
  { fd, name }: InheritedSocket,
  addresses: readonly ListenAddress[],
  onSocket: OnSocket,
): Promise<{ readonly server: Server; readonly address: ListenAddress }> {
  const known: { kind: ListenAddress['kind'] | null } = { kind: null };
  const server = createServer(OPTIONS, (socket) => {
    if (known.kind === null) socket.destroy();
    else onSocket(socket, known.kind);
  });
  const what = `the socket ${JSON.stringify(name)} that systemd hands over`;
  try {
    server.listen({ fd, backlog: BACKLOG });
    await once(server, 'listening');
  } catch (cause) {
    throw new PromgateError('LISTEN_FAILED', `${what} cannot be listened on`, { cause });
  }
  const bound = boundAddress(server);
  const address = addresses.find((one) => isBoundTo(one, bound));
  if (address !== undefined) {
    known.kind = address.kind;
    return { server, address };
  }
  server.close();
  throw new PromgateError('LISTEN_FAILED', `${what} is not in listen_addresses: ${printBound(bound)}`, {
    hint: 'let ListenStream= of promgate.socket and listen_addresses say the same',
  });
}

const EVERY_HOST: ReadonlySet<string> = new Set(['::', '0.0.0.0']);

function isBoundTo(address: ListenAddress, { host, port }: BoundAddress): boolean {
  if (address.kind === 'unix') return host === `unix:${address.path}`;
  if (address.port !== port || host.startsWith('unix:')) return false;
  return address.host === null ? EVERY_HOST.has(host) : address.host === host;
}

function printBound({ host, port }: BoundAddress): string {
  if (host.startsWith('unix:')) return host;
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

async function listenOn(address: ListenAddress, onSocket: OnSocket): Promise<Server> {
  const server = createServer(OPTIONS, (socket) => {
    onSocket(socket, address.kind);
  });
  // Without a host Node takes `::` for both families, and 0.0.0.0 where IPv6 is off.
  if (address.kind === 'unix') server.listen(address.path);
  else if (address.host === null) server.listen(address.port);
  else server.listen(address.port, address.host);
  await once(server, 'listening');
  return server;
}

/** A unix socket whose process was killed stays in the file system; nobody answers on it. */
async function isAbandoned(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    probe.destroy();
  }
}

function explained(address: ListenAddress, cause: unknown): PromgateError {
  const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
  const where = `cannot listen on ${address.text}`;
  if (code === 'EADDRINUSE') {
    const who = address.kind === 'tcp' ? `see who has it with \`ss -ltnp 'sport = :${address.port}'\`, or ` : '';
    const hint = `${who}choose another address with --web.listen-address`;
    return new PromgateError('PORT_TAKEN', `${where}: the address is already in use`, { hint, cause });
  }
  const hint = HINTS[code];
  return new PromgateError('LISTEN_FAILED', `${where}: ${code}`, { ...(hint === undefined ? {} : { hint }), cause });
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'ports below 1024 need the capability CAP_NET_BIND_SERVICE, and a unix socket a directory one may write to',
  EADDRNOTAVAIL: 'no interface of this host has the address',
  EAFNOSUPPORT: 'IPv6 is off on this host',
  ENOTFOUND: 'the host name cannot be resolved; write the IP address',
  ENOENT: "the unix socket's directory does not exist",
};
