/**
 * Which credential a locked address may have verified. A turn every 15 s goes to whatever comes first: a guesser can
 * always be faster. Another goes to those that were refused before and come again, the one that waits longest first. Pure.
 */

/** Prometheus scrapes every 15 s or less often by habit: one attempt a scrape. */
export const VERIFICATION_EVERY_MS = 15_000;
/** Longer than two of the longest usual scrape intervals: who does not come for its turn loses it. */
const STALE_MS = 150_000;
/** At most eight minutes of waiting. */
const MAX_WAITING = 32;

export interface Turns {
  firstAtMs: number;
  returningAtMs: number;
  /** Digests of credentials in the order of their turns, and when they came last. */
  readonly waiting: Map<string, number>;
}

export function createTurns(): Turns {
  return { firstAtMs: -Infinity, returningAtMs: -Infinity, waiting: new Map() };
}

/** @returns whether the credential may be verified now; one that may not is given its place in the row if it returns. */
export function takeTurn(turns: Turns, credential: string, isReturning: boolean, nowMs: number): boolean {
  if (isReturning && takeReturning(turns, credential, nowMs)) return true;
  if (turns.firstAtMs > nowMs) return false;
  turns.firstAtMs = nowMs + VERIFICATION_EVERY_MS;
  turns.waiting.delete(credential);
  return true;
}

function takeReturning(turns: Turns, credential: string, nowMs: number): boolean {
  const { waiting } = turns;
  for (const [other, cameAt] of waiting) if (nowMs - cameAt >= STALE_MS) waiting.delete(other);
  if (waiting.has(credential) || waiting.size < MAX_WAITING) waiting.set(credential, nowMs);
  const [next] = waiting.keys();
  if (turns.returningAtMs > nowMs || next !== credential) return false;
  waiting.delete(credential);
  turns.returningAtMs = nowMs + VERIFICATION_EVERY_MS;
  return true;
}
