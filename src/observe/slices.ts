/** Long work in slices: the event loop goes on between them. */
import type { Clock } from '../lib/clock.ts';

/** Milliseconds. */
const SLICE = 2;

/**
 * Runs a generator to its end, a slice at a time.
 * @param isWanted asked between slices; false: it is given up
 * @returns null when it was given up
 */
export function runInSlices<T>(
  steps: Generator<undefined, T, undefined>,
  clock: Pick<Clock, 'monotonic'>,
  isWanted: () => boolean,
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const slice = (): void => {
      try {
        const until = clock.monotonic() + SLICE;
        do {
          const step = steps.next();
          if (step.done === true) {
            resolve(step.value);
            return;
          }
        } while (clock.monotonic() < until);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      if (isWanted()) setImmediate(slice);
      else resolve(null);
    };
    slice();
  });
}
