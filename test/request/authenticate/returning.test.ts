import { expect, test } from 'vitest';
import { createKeyedDigest } from '../../../src/request/authenticate/keyed-digest.ts';
import { createReturning } from '../../../src/request/authenticate/returning.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const digest = createKeyedDigest(Buffer.alloc(32));
const credential = (name: string) => digest('test', name);

function start(maxGroups?: number) {
  const clock = createFakeClock();
  return { clock, returning: createReturning(() => clock.monotonic(), maxGroups) };
}

test('knows a refused credential again for a minute or two, at its address only', () => {
  const { clock, returning } = start();
  expect(returning.cameBefore('a', credential('x'))).toBe(false);
  returning.note('a', credential('x'), false);
  expect(returning.cameBefore('a', credential('x'))).toBe(true);
  expect(returning.cameBefore('b', credential('x'))).toBe(false);
  clock.advance(119_000);
  expect(returning.cameBefore('a', credential('x'))).toBe(true);
  clock.advance(60_000);
  expect(returning.cameBefore('a', credential('x'))).toBe(false);
});

test('three thousand guesses do not make others look as if they came back', () => {
  const { returning } = start();
  for (let guess = 0; guess < 3000; guess++) returning.note('a', credential(`guess ${String(guess)}`), false);
  const mistaken = Array.from({ length: 1000 }, (_, index) => credential(`other ${String(index)}`)).filter((other) =>
    returning.cameBefore('a', other),
  );
  expect(mistaken.length).toBeLessThan(10);
});

test('strangers displace each other, and none that has logged in', () => {
  const { returning } = start(10);
  returning.note('scraper', credential('x'), true);
  returning.note('first stranger', credential('x'), false);
  for (let group = 0; group < 50; group++) returning.note(String(group), credential('x'), false);
  expect(returning.cameBefore('scraper', credential('x'))).toBe(true);
  expect(returning.cameBefore('first stranger', credential('x'))).toBe(false);
});
