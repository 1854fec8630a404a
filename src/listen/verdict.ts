/** Which time-out has come for a connection. Pure: one decision from a snapshot, asked once a second by the registry. */
import type { Limits } from '../config/config.ts';
import type { DenyReason } from '../request/deny-reasons.ts';

export interface ConnectionState {
  /** Monotonic milliseconds. */
  readonly openedAt: number;
  /** When the last answer ended, or the connection was opened; null while an answer is in flight. */
  readonly restingSince: number | null;
  /** Part of a next HTTP/1.1 request head has come: the parser's own header time-out judges it first. */
  readonly isReceiving: boolean;
  readonly authenticated: boolean;
  /** HTTP/2 was negotiated and its preface has not come. */
  readonly awaitsPreface: boolean;
  /** Milliseconds since the epoch; null without a verified certificate. */
  readonly certificateEnd: number | null;
  /** Monotonic deadline of a connection that is leaving; null for the others. */
  readonly leaveBy: number | null;
}

export interface Moment {
  readonly monotonic: number;
  readonly epoch: number;
}

export type Verdict =
  | { readonly action: 'keep' }
  /** No new request, answers in flight may end. */
  | { readonly action: 'leave'; readonly reason: DenyReason }
  | { readonly action: 'destroy'; readonly reason: DenyReason };

export type TimeLimits = Pick<
  Limits,
  'headerTimeoutMs' | 'idleTimeoutMs' | 'idleTimeoutUnauthenticatedMs' | 'maxConnectionAgeMs'
>;

const PREFACE_MS = 5_000;
/** Two rounds of the parser's own check, so that a dribbled head is answered 408 and not just cut. */
const HEADER_CHECK_MS = 2_000;
const KEEP: Verdict = { action: 'keep' };

export function verdict(state: ConnectionState, now: Moment, limits: TimeLimits): Verdict {
  if (state.leaveBy !== null) {
    return now.monotonic >= state.leaveBy ? { action: 'destroy', reason: 'draining' } : KEEP;
  }
  const age = now.monotonic - state.openedAt;
  if (state.awaitsPreface && age >= PREFACE_MS) return { action: 'destroy', reason: 'http2_no_preface' };
  if (isIdle(state, now, limits)) {
    return { action: state.authenticated ? 'leave' : 'destroy', reason: 'idle_timeout' };
  }
  const isOld = limits.maxConnectionAgeMs !== null && age >= limits.maxConnectionAgeMs;
  const isCertificateOver = state.certificateEnd !== null && now.epoch > state.certificateEnd;
  return isOld || isCertificateOver ? { action: 'leave', reason: 'connection_expired' } : KEEP;
}

/** Measured in requests: bytes alone (PINGs, a dribbled header) keep nothing alive. */
function isIdle(state: ConnectionState, now: Moment, limits: TimeLimits): boolean {
  if (state.restingSince === null) return false;
  const idle = state.authenticated ? limits.idleTimeoutMs : limits.idleTimeoutUnauthenticatedMs;
  const grace = state.isReceiving ? limits.headerTimeoutMs + HEADER_CHECK_MS : 0;
  return now.monotonic - state.restingSince >= idle + grace;
}
