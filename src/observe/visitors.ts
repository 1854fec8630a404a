/**
 * Who was here: one row for each credential that has authenticated, in memory, since the start. Bounded: users by the
 * configuration, certificates by their number. What a stranger typed never gets here: only whoever is known visits.
 */
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import { identityLabels } from './config-series.ts';
import type { SeenUser, Visit } from './ports.ts';

export interface Visitors {
  visited(visit: Visit): void;
  /** Users that the configuration no longer has are forgotten; those that it has are listed from now on. */
  keep(config: Config): void;
  /** By identity and credential; users and identities with certificates of whom nobody came, too. */
  list(): readonly SeenUser[];
  /** When each identity was seen last, by its label: milliseconds since the epoch. */
  lastSeen(): ReadonlyMap<string, number>;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

type Row = { -readonly [Key in keyof SeenUser]: SeenUser[Key] };

/**
 * More than a client CA of one's own issues for one gate. Beyond, the certificate of the identity with the most of them
 * goes that was not seen for the longest time: one tenant with a new certificate a minute displaces its own.
 */
const MOST_CERTIFICATES = 1000;

export function createVisitors(clock: Pick<Clock, 'now'>, mostCertificates = MOST_CERTIFICATES): Visitors {
  const byUser = new Map<string | null, Row>();
  const byCertificate = new Map<string, Row>();
  const labels = new Map<string, number>();
  const since = clock.now();
  let config: Pick<Config, 'users' | 'identities'> = { users: new Map(), identities: null };

  const rowOf = ({ identity: { name, user, certificate } }: Visit): Row | null => {
    if (certificate === null) {
      const known = byUser.get(user);
      if (known !== undefined) return known;
      // A request that was under way when its user was removed.
      if (user !== null && !config.users.has(user)) return null;
      const row = emptyRow(name, user, null);
      byUser.set(user, row);
      return row;
    }
    // No part but the last can have a space in it.
    const key = `${certificate.serial} ${certificate.spkiHash} ${user ?? ''}`;
    const known = byCertificate.get(key);
    if (known !== undefined) return known;
    const row = emptyRow(name, user, { serial: certificate.serial, name: certificate.name });
    if (byCertificate.size >= mostCertificates) forgetOldest(byCertificate);
    byCertificate.set(key, row);
    return row;
  };

  return {
    since,
    visited(visit) {
      const now = clock.now();
      labels.set(visit.identity.label, now);
      const row = rowOf(visit);
      if (row === null) return;
      const { identity, address, bytesOut, scrape, isWhole, denial } = visit;
      row.identity = identity.name;
      row.lastSeenMs = now;
      row.address = address;
      row.requests += 1;
      row.bytes += bytesOut;
      if (denial !== null) {
        row.refusals += 1;
        row.lastRefusal = denial;
      }
      if (scrape === null) return;
      row.scrapes += 1;
      if (isWhole) row.series = scrape.series;
    },
    keep(next) {
      config = next;
      const known = identityLabels(next);
      for (const label of labels.keys()) if (!known.has(label)) labels.delete(label);
      for (const user of byUser.keys()) if (user !== null && !next.users.has(user)) byUser.delete(user);
      for (const [key, { user }] of byCertificate) {
        if (user !== null && !next.users.has(user)) byCertificate.delete(key);
      }
    },
    list() {
      const seen = [...byUser.values(), ...byCertificate.values()];
      return [...seen, ...neverSeen(config, seen)].sort(byName);
    },
    lastSeen: () => labels,
  };
}

function emptyRow(identity: string, user: string | null, certificate: SeenUser['certificate']): Row {
  const nothing = { requests: 0, scrapes: 0, bytes: 0, series: null, refusals: 0, lastRefusal: null };
  return { identity, user, certificate, lastSeenMs: null, address: null, ...nothing };
}

function forgetOldest(rows: Map<string, Row>): void {
  const counts = new Map<string, number>();
  for (const { identity } of rows.values()) counts.set(identity, (counts.get(identity) ?? 0) + 1);
  const most = Math.max(...counts.values());
  let oldest: string | null = null;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const [key, { identity, lastSeenMs }] of rows) {
    if (counts.get(identity) !== most || (lastSeenMs ?? 0) >= oldestMs) continue;
    oldest = key;
    oldestMs = lastSeenMs ?? 0;
  }
  if (oldest !== null) rows.delete(oldest);
}

function neverSeen({ users, identities }: Pick<Config, 'users' | 'identities'>, seen: readonly SeenUser[]): SeenUser[] {
  const seenUsers = new Set(seen.map(({ user }) => user));
  const seenHolders = new Set(seen.filter(({ certificate }) => certificate !== null).map(({ identity }) => identity));
  const entryOf = new Map(
    (identities ?? []).flatMap(({ name, passwordUsers }) => passwordUsers.map((user) => [user, name] as const)),
  );
  return [
    ...[...users.keys()]
      .filter((user) => !seenUsers.has(user))
      .map((user) => emptyRow(entryOf.get(user) ?? `password:${user}`, user, null)),
    ...(identities ?? [])
      .filter(({ name, certificates }) => certificates.length > 0 && !seenHolders.has(name))
      .map(({ name }) => emptyRow(name, null, { serial: null, name: null })),
  ];
}

function byName(a: SeenUser, b: SeenUser): number {
  return compare(a.identity, b.identity) || compare(nameOf(a), nameOf(b));
}

function nameOf({ user, certificate }: SeenUser): string {
  return `${user ?? ''} ${certificate?.name ?? ''} ${certificate?.serial ?? ''}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
