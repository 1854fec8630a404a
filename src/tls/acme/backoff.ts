/** How long to wait after failures, so that a fault that stays does not run into the limits of a CA. Pure. */

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LADDER_MINUTES = [1, 2, 5, 10, 20, 30, 60, 120, 180, 360, 720, 1440];
/** At boot the network may come up a moment later; a CA that is up for one hour a day is not missed. */
const FREE_LADDER_MINUTES = [1 / 6, 1 / 2, 1, 2, 5, 10, 20, 30, 45];
/** The nearer the end, the less is waited: in the last day, within every hour. */
const SHARE_OF_REMAINING = 1 / 30;
const SHORTEST_CAP_MS = 30 * MINUTE_MS;
/** Clients that failed together do not come back together. */
const SPREAD = 0.1;

export interface BackOff {
  /** Failures in a row, at least 1. */
  readonly failures: number;
  /** When the last of them happened, milliseconds since the epoch. */
  readonly at: number;
  /** Until the end of the certificate that is served; null: there is none that is valid. */
  readonly remainingMs: number | null;
  /** Whether the failure cost nothing of the CA's limits, because the CA was never reached. */
  readonly isFree: boolean;
}

/**
 * Milliseconds from the last failure to the next attempt: 1, 2, 5, 10, 20, 30 minutes, then hours up to a day, and at
 * most a thirtieth of what is left of the certificate. When the CA was not reached at all, 10 and 30 seconds come first,
 * and 45 minutes are the most. A tenth more at most is added, deterministically: the spread comes from the moment of the
 * failure.
 */
export function backOffMs({ failures, at, remainingMs, isFree }: BackOff): number {
  const ladder = isFree ? FREE_LADDER_MINUTES : LADDER_MINUTES;
  const index = Math.min(Math.max(failures, 1), ladder.length) - 1;
  const step = (ladder[index] ?? 1440) * MINUTE_MS;
  const spread = 1 + (SPREAD * (Math.abs(Math.trunc(at)) % 1000)) / 1000;
  return (isFree ? step : Math.min(step, longest(remainingMs))) * spread;
}

function longest(remainingMs: number | null): number {
  if (remainingMs === null || remainingMs <= 0) return DAY_MS;
  return Math.max(SHORTEST_CAP_MS, remainingMs * SHARE_OF_REMAINING);
}
