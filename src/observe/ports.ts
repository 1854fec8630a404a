/** What the rest of the program tells the observer. Steps import these types and nothing else of observe/. */
import type { ConfigSource } from '../config/config.ts';
import type { DenyReason } from '../request/deny-reasons.ts';
import type { Identity } from '../request/identity.ts';
import type { ScrapeRecord } from '../request/scrape-record.ts';

/** A logger in pino's manner; what a stranger typed goes through `escapeForeign` first (lib/foreign-text.ts). */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface RequestRecord {
  readonly upstream: string;
  readonly identity: string;
  readonly status: number;
  readonly durationSeconds: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/** A scrape that is over, in whichever way. */
export interface ScrapeObservation {
  readonly upstream: string;
  /** Of the identity, as bounded by the configuration. */
  readonly identity: string;
  readonly scrape: ScrapeRecord;
  readonly durationSeconds: number;
  /** Whether it was answered with 200 to the last byte. */
  readonly isWhole: boolean;
}

/** A request of somebody who is known, when its answer is over. */
export interface Visit {
  readonly identity: Identity;
  readonly address: string;
  readonly bytesOut: number;
  /** null: it was no scrape. */
  readonly scrape: ScrapeRecord | null;
  readonly isWhole: boolean;
  readonly denial: DenyReason | null;
}

/** Every metric of the gate by what happened. Labels are bounded by the configuration and by closed unions. */
export interface Metrics {
  request(record: RequestRecord): void;
  scrape(observation: ScrapeObservation): void;
  visited(visit: Visit): void;
  /** +1 when a request enters, -1 when its answer is over. */
  inFlight(delta: 1 | -1): void;
  refused(reason: DenyReason): void;
  connectionOpened(): void;
  connectionClosed(): void;
  /** A handshake, or what a client sends that has not authenticated, waits for its turn. */
  strangerDeferred(): void;
  upstreamUp(upstream: string, up: boolean): void;
  upstreamRetried(upstream: string): void;
  upstreamBypassable(upstream: string, bypassable: boolean): void;
  reloaded(source: ConfigSource, ok: boolean, atSeconds: number): void;
  passwordChecked(
    outcome: 'cached' | 'hashed' | 'negative_cached' | 'queue_full' | 'abandoned' | 'worker_replaced',
  ): void;
  passwordHashed(seconds: number): void;
  hashQueue(length: number): void;
  lockedOut(): void;
  lockoutsActive(count: number): void;
  hostNameResolved(host: string, ok: boolean): void;
}

/** A lockout in force, as the admin listener and `promgate lockouts` show it. */
export interface ActiveLockout {
  /** An address, or the /64 of an IPv6 address. */
  readonly address: string;
  /** A configured user, escaped and cut, or `unknown user`; null: every user of the address. */
  readonly user: string | null;
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
}

/** Who was here with which credential, as the admin listener and `promgate users` show it. Counted since the start. */
export interface SeenUser {
  /** As in the log: an entry's name, `password:USER`, `certificate:SAN` or `anonymous`. */
  readonly identity: string;
  readonly user: string | null;
  /** Without a serial: of an identity whose certificates nobody has shown yet. */
  readonly certificate: { readonly serial: string | null; readonly name: string | null } | null;
  /** Milliseconds since the epoch; null: never. */
  readonly lastSeenMs: number | null;
  /** From where the last request came. */
  readonly address: string | null;
  readonly requests: number;
  readonly scrapes: number;
  /** Sent. */
  readonly bytes: number;
  /** Of the last whole scrape; null: there was none, or they could not be counted. */
  readonly series: number | null;
  readonly refusals: number;
  readonly lastRefusal: DenyReason | null;
}

export interface SeenUsers {
  /** Since when is counted: milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly users: readonly SeenUser[];
}

/** For tests and for commands that serve nothing. */
export const noMetrics: Metrics = {
  request: () => undefined,
  scrape: () => undefined,
  visited: () => undefined,
  inFlight: () => undefined,
  refused: () => undefined,
  connectionOpened: () => undefined,
  strangerDeferred: () => undefined,
  connectionClosed: () => undefined,
  upstreamUp: () => undefined,
  upstreamRetried: () => undefined,
  upstreamBypassable: () => undefined,
  reloaded: () => undefined,
  passwordChecked: () => undefined,
  passwordHashed: () => undefined,
  hashQueue: () => undefined,
  lockedOut: () => undefined,
  lockoutsActive: () => undefined,
  hostNameResolved: () => undefined,
};
