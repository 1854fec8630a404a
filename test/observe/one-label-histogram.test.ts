import fc from '../support/property.ts';
import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { MetricRow } from '../../src/observe/metric-list.ts';
import { createOneLabelHistogram } from '../../src/observe/one-label-histogram.ts';

const BUCKETS = [0.005, 0.1, 1, 10];
const ROW = { name: 'bench_seconds', help: 'Help, with a \\ in it.', labels: ['upstream'], buckets: BUCKETS };

function pair() {
  const own = new Registry();
  const theirs = new Registry();
  const row = ROW as unknown as MetricRow & { readonly buckets: readonly number[] };
  const histogram = new Histogram({
    name: ROW.name,
    help: ROW.help,
    labelNames: ROW.labels,
    buckets: BUCKETS,
    registers: [theirs],
  });
  return { own, theirs, lean: createOneLabelHistogram(own, row), histogram };
}

test('shows what the histogram of prom-client shows', async () => {
  const observation = fc.tuple(
    fc.constantFrom('a', 'b "quoted"\n', 'http://127.0.0.1:9090'),
    fc.oneof(fc.constantFrom(0, ...BUCKETS), fc.double({ min: 0, max: 20, noNaN: true })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(observation), async (observations) => {
      const { own, theirs, lean, histogram } = pair();
      for (const [upstream, value] of observations) {
        lean.of(upstream).observe(value);
        histogram.observe({ upstream }, value);
      }
      expect(await own.metrics()).toBe(await theirs.metrics());
    }),
    { numRuns: 100 },
  );
});

test.each([NaN, -1, Infinity, -Infinity])('%d counts as 0', async (value) => {
  const { own, lean } = pair();
  lean.of('a').observe(value);
  const text = await own.metrics();
  expect(text).toContain('bench_seconds_sum{upstream="a"} 0\n');
  expect(text).toContain('bench_seconds_bucket{le="0.005",upstream="a"} 1\n');
});

test('a removed series is gone, and begins anew', async () => {
  const { own, lean } = pair();
  lean.of('a').observe(1);
  lean.remove('a');
  expect(await own.metrics()).not.toContain('upstream');
  lean.of('a').observe(1);
  expect(await own.metrics()).toContain('bench_seconds_count{upstream="a"} 1\n');
});

test('needs exactly one label', () => {
  const row = { ...ROW, labels: ['upstream', 'identity'] } as unknown as MetricRow & { buckets: readonly number[] };
  expect(() => createOneLabelHistogram(new Registry(), row)).toThrow('has not one label');
});
