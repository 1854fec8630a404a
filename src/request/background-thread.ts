/** Where requests are served on one processor, what a worker thread computes must not take it from them. */
import { getPriority, platform, setPriority } from 'node:os';
import { isMainThread } from 'node:worker_threads';

/** A tenth of the processor where the main thread wants all of it, so that a login is not starved either (nice(2)). */
const NICER_BY = 10;
const NICEST = 19;

/**
 * Called by a worker thread as it starts: the scheduler prefers the main thread to it from then on. Linux alone gives
 * every thread a niceness of its own, and takes 0 for the one that calls (setpriority(2), "C library/kernel differences").
 */
export function yieldToRequests(): void {
  if (isMainThread || platform() !== 'linux') return;
  try {
    setPriority(Math.min(NICEST, getPriority() + NICER_BY));
  } catch {
    // A sandbox may forbid it: it computes all the same.
  }
}
