/** The moment of renewal that is drawn from what a CA says (RFC 9773 §4.2, §4.3). Pure. */
import type { RenewalInfo, RenewalWindow } from './contract.ts';

const HOUR_MS = 3_600_000;
/** Four times a day: two remain when every second question fails. */
const LONGEST_PAUSE_MS = 6 * HOUR_MS;
const SHORTEST_PAUSE_MS = HOUR_MS / 6;

/**
 * The window to keep. Its moment is drawn once, evenly over the window, and drawn again only when the CA has moved the
 * window away from it. A moment in the past means now.
 * @returns null when the window is none.
 */
export function drawWindow(
  info: RenewalInfo,
  previous: RenewalWindow | null,
  now: number,
  random: () => number,
): RenewalWindow | null {
  const { start, end, explanationUrl } = info;
  if (!Number.isFinite(start) || !Number.isFinite(end) || end <= start) return null;
  const isKept = previous !== null && previous.chosen >= start && previous.chosen <= end;
  const chosen = isKept ? previous.chosen : Math.floor(start + random() * (end - start));
  return { start, end, chosen, askAgainAt: now + pauseMs(info.retryAfterMs), explanationUrl };
}

/** From one question to the next: the CA's Retry-After, within bounds; the longest one when the CA did not answer. */
export function pauseMs(retryAfterMs: number | null): number {
  if (retryAfterMs === null || !Number.isFinite(retryAfterMs)) return LONGEST_PAUSE_MS;
  return Math.min(Math.max(retryAfterMs, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
}
