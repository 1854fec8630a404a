import { expect, test } from 'vitest';
import { createFairQueue } from '../../../src/request/authenticate/fair-queue.ts';

test('serves addresses in turn, each in its own order', () => {
  const queue = createFairQueue<string>(() => 10);
  for (const item of ['a1', 'a2', 'a3']) queue.push('a', item);
  for (const item of ['b1', 'b2']) queue.push('b', item);
  queue.push('c', 'c1');
  const served = Array.from({ length: 7 }, () => queue.shift());
  expect(served).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined]);
  expect(queue.length).toBe(0);
});

test('takes no more than its capacity, which may change', () => {
  let capacity = 2;
  const queue = createFairQueue<number>(() => capacity);
  expect([queue.push('a', 1), queue.push('b', 2), queue.push('c', 3)].map(({ kind }) => kind)).toEqual([
    'queued',
    'queued',
    'full',
  ]);
  capacity = 3;
  expect(queue.push('c', 3)).toEqual({ kind: 'queued', displaced: null });
  expect(queue.length).toBe(3);
});

test('gives back what is still waiting, once', () => {
  const queue = createFairQueue<string>(() => 10);
  queue.push('a', 'a1');
  queue.push('a', 'a2');
  expect(queue.remove('a', 'a1')).toBe(true);
  expect(queue.remove('a', 'a1')).toBe(false);
  expect(queue.remove('b', 'a2')).toBe(false);
  expect(queue.shift()).toBe('a2');
  expect(queue.remove('a', 'a2')).toBe(false);
  expect(queue.length).toBe(0);
});

test('when it is full, makes room for a newcomer at the cost of the one who has the most in it', () => {
  const queue = createFairQueue<string>(() => 4);
  for (const item of ['a1', 'a2', 'a3']) queue.push('a', item);
  queue.push('b', 'b1');
  expect(queue.push('c', 'c1')).toEqual({ kind: 'queued', displaced: 'a3' });
  expect(queue.push('d', 'd1')).toEqual({ kind: 'queued', displaced: 'a2' });
  expect(queue.push('e', 'e1')).toEqual({ kind: 'full', displaced: null });
  expect(queue.push('a', 'a4')).toEqual({ kind: 'full', displaced: null });
  expect(Array.from({ length: 4 }, () => queue.shift())).toEqual(['a1', 'b1', 'c1', 'd1']);
  expect(queue.length).toBe(0);
});
