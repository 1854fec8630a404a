import { Counter, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createTallies } from '../../src/observe/tally.ts';

function counting() {
  const registry = new Registry();
  const counter = new Counter({ name: 'things_total', help: 'Things.', labelNames: ['kind'], registers: [registry] });
  const tallies = createTallies();
  return { registry, counter, tallies, tally: tallies.of(counter.labels({ kind: 'a' })) };
}

test('what was added is in the counter once it is flushed, and only once', async () => {
  const { registry, tallies, tally } = counting();
  tally.add(2);
  tally.add(3);
  tallies.flush();
  tallies.flush();
  expect(await registry.metrics()).toContain('things_total{kind="a"} 5\n');
});

test('a series exists before anything was added', async () => {
  expect(await counting().registry.metrics()).toContain('things_total{kind="a"} 0\n');
});

test.each([NaN, -1, Infinity])('%d adds nothing', async (value) => {
  const { registry, tallies, tally } = counting();
  tally.add(value);
  tallies.flush();
  expect(await registry.metrics()).toContain('things_total{kind="a"} 0\n');
});

test('a forgotten tally does not bring its series back', async () => {
  const { registry, counter, tallies, tally } = counting();
  tally.add(1);
  tallies.forget(tally);
  counter.remove({ kind: 'a' });
  tallies.flush();
  expect(await registry.metrics()).not.toContain('kind="a"');
});
