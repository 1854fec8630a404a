/**
 * The bypass watch: whether the port of an upstream on this host listens on more than loopback, so that the gate can be
 * walked around. Reads the kernel's table of sockets and connects to nothing; it warns and never refuses.
 */
import { open } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { endianness, hostname, networkInterfaces } from 'node:os';
import type { Upstream } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import { addressesOf } from '../lib/lookup.ts';
import type { Log, Metrics } from './ports.ts';
import { isLoopbackAddress, parseListeningSockets, type ListeningSocket } from './socket-table.ts';

export interface BypassPorts {
  readonly upstreams: readonly Upstream[];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'upstreamBypassable'>;
  /** The same as requests have. */
  readonly lookup: LookupFunction;
  /** The text of a file, or at least its beginning: the kernel lists the listening sockets first. */
  readonly readFile?: (path: string) => Promise<string>;
  /** Addresses and names of this host beside loopback and `localhost`. */
  readonly ownNames?: () => ReadonlySet<string>;
}

export interface Watch {
  /** Takes the upstreams of a new configuration and looks at once. */
  apply(upstreams: readonly Upstream[]): void;
  close(): void;
}

export interface BypassWatch extends Watch {
  /** Looks now; resolved when metrics and log are up to date. */
  look(): Promise<void>;
}

const INTERVAL_MS = 5 * 60_000;
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const MOST_BYTES = 1024 * 1024;

/** Starts at once and looks every five minutes. Says one line when what it sees changes. */
export function watchBypass(ports: BypassPorts): BypassWatch {
  const { clock, log, metrics, lookup, readFile = readBeginning, ownNames = namesOfThisHost } = ports;
  let upstreams = ports.upstreams;
  let closed = false;
  const warned = new Map<string, string>();

  const look = async (): Promise<void> => {
    const tables = await Promise.all(TABLES.map((path) => readFile(path).catch(() => null)));
    // Neither table: not Linux, or /proc is hidden. Nothing can be said, so no series claims that all is well.
    if (closed || tables.every((table) => table === null)) return;
    const sockets = tables.flatMap((table) => parseListeningSockets(table ?? '', endianness()));
    const own = ownNames();
    const looked = upstreams;
    const isStale = (): boolean => closed || looked !== upstreams;
    const ports = await Promise.all(looked.map((upstream) => portOnThisHost(upstream, own, lookup)));
    if (isStale()) return;
    for (const [index, upstream] of looked.entries()) {
      const port = ports[index] ?? null;
      if (port === null) continue;
      const open = openAddresses(sockets, port);
      metrics.upstreamBypassable(upstream.name, open.length > 0);
      const said = open.join(', ');
      if ((warned.get(upstream.name) ?? '') === said) continue;
      warned.set(upstream.name, said);
      if (open.length > 0) warn(log, upstream, port, said);
      else log.info({ upstream: upstream.name, port }, 'the upstream listens on loopback only now');
    }
  };

  const timer = clock.every(INTERVAL_MS, () => void look());
  void look();
  return {
    look,
    apply(next) {
      upstreams = next;
      for (const name of warned.keys()) if (!next.some((upstream) => upstream.name === name)) warned.delete(name);
      void look();
    },
    close() {
      closed = true;
      timer.cancel();
    },
  };
}

function warn(log: Log, upstream: Upstream, port: number, addresses: string): void {
  const flag =
    upstream.kind === 'any' ? `bind it to 127.0.0.1:${String(port)}` : `--web.listen-address=127.0.0.1:${String(port)}`;
  log.warn(
    { upstream: upstream.name, port, addresses, hint: flag },
    'the upstream can be reached without the gate: its port listens on more than loopback',
  );
}

/** The upstream's port when it is a TCP port of this host: by its name, or by any address that requests would go to. */
export async function portOnThisHost(
  { address }: Upstream,
  ownNames: ReadonlySet<string>,
  lookup: LookupFunction,
): Promise<number | null> {
  if (address.kind !== 'http' && address.kind !== 'https') return null;
  const host = address.host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  const isOwn = (name: string): boolean => isLoopbackAddress(name) || ownNames.has(name);
  if (host === 'localhost' || isOwn(host)) return address.port;
  // What does not resolve is the probe's to tell.
  const addresses = await addressesOf(lookup, host).catch(() => []);
  return addresses.some((found) => isOwn(found.address)) ? address.port : null;
}

/** Where beyond loopback the port listens; empty: nowhere. */
export function openAddresses(sockets: readonly ListeningSocket[], port: number): string[] {
  const found = sockets.filter((socket) => socket.port === port && !isLoopbackAddress(socket.address));
  return [...new Set(found.map((socket) => socket.address))].sort();
}

async function readBeginning(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    // Files in /proc give at most a page a read, whatever one asks for.
    while (length < MOST_BYTES) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, null);
      if (bytesRead === 0) break;
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
    }
    return Buffer.concat(chunks).toString('latin1');
  } finally {
    await file.close();
  }
}

function namesOfThisHost(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  return new Set([...addresses, hostname().toLowerCase()]);
}
