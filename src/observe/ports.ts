/** What the rest of the program tells the observer. Steps import these types and nothing else of observe/. */
import type { ConfigSource } from '../config/config.ts';
import type { DenyReason } from '../request/deny-reasons.ts';

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

/** Every metric of the gate by what happened. Labels are bounded by the configuration and by closed unions. */
export interface Metrics {
  request(record: RequestRecord): void;
  /** +1 when a request enters, -1 when its answer is over. */
  inFlight(delta: 1 | -1): void;
  refused(reason: DenyReason): void;
  connectionOpened(): void;
  connectionClosed(): void;
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

/** For tests and for commands that serve nothing. */
export const noMetrics: Metrics = {
  request: () => undefined,
  inFlight: () => undefined,
  refused: () => undefined,
  connectionOpened: () => undefined,
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
