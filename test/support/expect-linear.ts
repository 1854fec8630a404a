/**
 * That work grows with its input and not with the square of it, told without a bound in seconds: the same work is done
 * on as much input in small pieces, in the same run on the same, maybe busy, machine. Processor time counts, not the
 * clock on the wall, so that what else runs in the meantime does not.
 */
import { expect } from 'vitest';

const ROUNDS = 3;
/** Linear work comes to about 1 whatever the sizes; quadratic work to how often `small` goes into `large`. */
const MOST = 8;

export interface Sizes {
  readonly small: number;
  /** At least 64 times `small`, so that the two kinds are far apart. */
  readonly large: number;
}

/** `prepare` makes an input of that size, which is not measured, and returns the work that is. */
export function expectLinear({ small, large }: Sizes, prepare: (size: number) => () => void): void {
  const times = Math.floor(large / small);
  if (times < 64) throw new Error(`${large} is too little beside ${small}`);
  const [piece, whole] = [prepare(small), prepare(large)];
  piece();
  let [pieces, one] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    pieces = Math.min(
      pieces,
      processorTime(() => {
        for (let n = 0; n < times; n++) piece();
      }),
    );
    one = Math.min(one, processorTime(whole));
    if (one <= MOST * pieces) return;
  }
  expect(one / pieces, `the cost of ${large} at once, in that of ${times} times ${small}`).toBeLessThanOrEqual(MOST);
}

/** In microseconds, of this process. */
function processorTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
