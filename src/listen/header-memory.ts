/**
 * What the headers of unanswered requests hold in memory, over all connections: an answer that its client does not read
 * keeps them. Bookkeeping and choice only: it cuts nothing.
 */
import { addressPath } from '../formats/address.ts';
import type { LiveConnection } from './live-connection.ts';

/** Of one connection; sixteen of the largest requests, eight before it has authenticated. */
const MOST_OF_ONE = 1024 * 1024;
const MOST_OF_STRANGER = 512 * 1024;
/** Of all; a dashboard's request has 2 KB. */
const MOST_OF_ALL = 32 * 1024 * 1024;

type Holder = Pick<LiveConnection, 'headerBytes' | 'authenticated' | 'facts'>;

export function holdsTooMuch({ headerBytes, authenticated }: Pick<Holder, 'headerBytes' | 'authenticated'>): boolean {
  return headerBytes > (authenticated ? MOST_OF_ONE : MOST_OF_STRANGER);
}

/**
 * Whose headers are given up when all of them are too many: strangers' first where they hold half of it; of the net and
 * address that hold most the connection that holds most.
 * @param totalBytes over all connections.
 */
export function heaviest<H extends Holder>(connections: Iterable<H>, totalBytes: number): H | null {
  if (totalBytes <= MOST_OF_ALL) return null;
  const holders = [...connections].filter(({ headerBytes }) => headerBytes > 0);
  const strangers = holders.filter(({ authenticated }) => !authenticated);
  const weighed = 2 * sumOf(strangers) >= totalBytes ? strangers : holders;
  let left = weighed.map((holder) => ({ holder, path: addressPath(holder.facts.peer) }));
  for (let level = 0; left.some(({ path }) => path.length > level); level++) {
    left = heaviestGroup(left, ({ path }) => path[level] ?? '');
  }
  return left.reduce<H | null>(
    (most, { holder }) => (holder.headerBytes > (most?.headerBytes ?? 0) ? holder : most),
    null,
  );
}

function heaviestGroup<T extends { readonly holder: Holder }>(
  entries: readonly T[],
  groupOf: (entry: T) => string,
): T[] {
  const groups = new Map<string, { bytes: number; readonly entries: T[] }>();
  for (const entry of entries) {
    const name = groupOf(entry);
    const group = groups.get(name) ?? { bytes: 0, entries: [] };
    groups.set(name, group);
    group.bytes += entry.holder.headerBytes;
    group.entries.push(entry);
  }
  const [first = { bytes: 0, entries: [] }, ...others] = groups.values();
  return others.reduce((most, group) => (group.bytes > most.bytes ? group : most), first).entries;
}

function sumOf(holders: readonly Holder[]): number {
  return holders.reduce((sum, { headerBytes }) => sum + headerBytes, 0);
}
