/** Asks again until there is an answer, and says what was waited for when there is none: the only way tests wait. */
import { setTimeout as delay } from 'node:timers/promises';

export interface PollOptions {
  readonly deadlineMs?: number;
  readonly everyMs?: number;
}

/**
 * Calls `probe` until it gives something other than undefined, null or false. An error of the probe counts as "not yet".
 * @throws Error naming `what` and the probe's last error once the deadline is over.
 */
export async function poll<T>(
  what: string,
  probe: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 25 }: PollOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const until = performance.now() + deadlineMs;
  let cause: unknown;
  do {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(everyMs);
  } while (performance.now() < until);
  throw new Error(`waited ${deadlineMs} ms in vain: ${what}`, { cause });
}
