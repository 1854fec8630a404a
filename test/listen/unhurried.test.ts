import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Unhurried } from '../../src/listen/unhurried.ts';
import { createFakeClock } from '../support/fake-clock.ts';

test('of what falls due at once two milliseconds happen in one turn of the loop, in order and none twice', async () => {
  const clock = createFakeClock();
  const unhurried = new Unhurried(clock);
  const done: number[] = [];
  for (let index = 0; index < 7; index++) {
    unhurried.do(() => {
      clock.advance(1);
      done.push(index);
    });
  }
  expect(done).toEqual([0, 1]);
  const turns = [];
  while (done.length < 7) {
    await turn();
    turns.push(done.length);
  }
  expect(turns.length).toBeGreaterThanOrEqual(3);
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6]);
});
