import { describe, expect, test } from 'vitest';
import { StallWatch } from '../../src/listen/stall.ts';

const KB = 1024;

describe('StallWatch', () => {
  test('nothing is stalled while nothing waits', () => {
    const watch = new StallWatch();
    expect(watch.isStalled({ pendingBytes: 0, progress: 0 }, 0, 30_000)).toBe(false);
    expect(watch.isStalled({ pendingBytes: 0, progress: 0 }, 90_000, 30_000)).toBe(false);
  });

  test('what waits without progress is stalled at the time-out', () => {
    const watch = new StallWatch();
    const sample = { pendingBytes: 64 * KB, progress: 10 };
    expect(watch.isStalled(sample, 5_000, 30_000)).toBe(false);
    expect(watch.isStalled(sample, 34_999, 30_000)).toBe(false);
    expect(watch.isStalled(sample, 35_000, 30_000)).toBe(true);
  });

  test('progress starts the time anew', () => {
    const watch = new StallWatch();
    watch.isStalled({ pendingBytes: 10, progress: 1 }, 0, 30_000);
    expect(watch.isStalled({ pendingBytes: 10, progress: 2 }, 29_000, 30_000)).toBe(false);
    expect(watch.isStalled({ pendingBytes: 10, progress: 2 }, 58_000, 30_000)).toBe(false);
    expect(watch.isStalled({ pendingBytes: 10, progress: 2 }, 59_000, 30_000)).toBe(true);
  });

  test('an app that writes more is no progress, a queue that shrinks is', () => {
    const watch = new StallWatch();
    watch.isStalled({ pendingBytes: 10, progress: 1 }, 0, 30_000);
    expect(watch.isStalled({ pendingBytes: 20, progress: 1 }, 30_000, 30_000)).toBe(true);
    expect(watch.isStalled({ pendingBytes: 15, progress: 1 }, 31_000, 30_000)).toBe(false);
  });

  test('a large chunk, whose progress is seen at its end only, gets more time up to a bound', () => {
    const watch = new StallWatch();
    const half = { pendingBytes: 512 * KB, progress: 1 };
    watch.isStalled(half, 0, 30_000);
    expect(watch.isStalled(half, 59_999, 30_000)).toBe(false);
    expect(watch.isStalled(half, 60_000, 30_000)).toBe(true);
    const huge = new StallWatch();
    const all = { pendingBytes: 1024 * 1024 * KB, progress: 1 };
    huge.isStalled(all, 0, 30_000);
    expect(huge.isStalled(all, 239_999, 30_000)).toBe(false);
    expect(huge.isStalled(all, 240_000, 30_000)).toBe(true);
  });

  test('a pause in which nothing waited does not count', () => {
    const watch = new StallWatch();
    watch.isStalled({ pendingBytes: 10, progress: 1 }, 0, 30_000);
    watch.isStalled({ pendingBytes: 0, progress: 1 }, 1_000, 30_000);
    expect(watch.isStalled({ pendingBytes: 10, progress: 1 }, 60_000, 30_000)).toBe(false);
  });
});
