import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WorkTurns } from '../../src/listen/work-turns.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function setUp() {
  const clock = createFakeClock();
  const turns = new WorkTurns(clock, { part: 0.2, burstMs: 2 });
  const done: string[] = [];
  const take = (address: string, name = address): (() => void) =>
    turns.take(address, () => {
      done.push(name);
      turns.worked(1);
    });
  return { clock, turns, done, take };
}

test('what comes alone begins at once, and in one turn of the loop only one thing does', async () => {
  const { done, take } = setUp();
  take('192.0.2.1');
  expect(done).toHaveLength(1);
  take('192.0.2.2');
  expect(done).toHaveLength(1);
  await turn();
  await turn();
  expect(done).toHaveLength(2);
});

test('beyond the burst the work of all is a fifth of the time, and the rest waits', async () => {
  const { clock, turns, done, take } = setUp();
  for (let count = 0; count < 100; count++) take(`192.0.2.${count}`);
  for (let ms = 0; ms < 100; ms++) {
    clock.advance(1);
    await turn();
    await turn();
  }
  // Two at once, one for each five milliseconds, and what is under way at the end.
  expect(done.length).toBeGreaterThanOrEqual(20);
  expect(done.length).toBeLessThanOrEqual(24);
  expect(turns.waiting).toBe(100 - done.length);
});

test('who comes last is served before the second of an address, and before the third of a net', async () => {
  const { clock, done, take } = setUp();
  for (let count = 0; count < 20; count++) take('192.0.2.1', 'flood');
  for (let count = 0; count < 20; count++) take(`198.51.100.${count}`, 'net');
  take('203.0.113.1', 'newcomer');
  for (let ms = 0; ms < 30; ms++) {
    clock.advance(1);
    await turn();
    await turn();
  }
  expect(done.slice(0, 5)).toContain('newcomer');
});

test('who leaves the row does not begin', async () => {
  const { clock, done, take } = setUp();
  take('192.0.2.1');
  const leave = take('192.0.2.2');
  leave();
  clock.advance(1_000);
  await turn();
  await turn();
  expect(done).toEqual(['192.0.2.1']);
});

test('one large piece of work keeps the others waiting for a second at most', async () => {
  const { clock, turns, done, take } = setUp();
  turns.worked(60_000);
  take('192.0.2.1');
  clock.advance(1_251);
  await turn();
  expect(done).toHaveLength(1);
});
