import { expect, test } from 'vitest';
import { createFairQueue, type Party, type Rank } from '../../../src/request/authenticate/fair-queue.ts';

const from = (...path: string[]): Party => ({ rank: 'new', path });
const ranked = (rank: Rank, ...path: string[]): Party => ({ rank, path });

test('serves addresses in turn, each in its own order', () => {
  const queue = createFairQueue<string>(() => 10);
  for (const item of ['a1', 'a2', 'a3']) queue.push(from('a'), item);
  for (const item of ['b1', 'b2']) queue.push(from('b'), item);
  queue.push(from('c'), 'c1');
  const served = Array.from({ length: 7 }, () => queue.shift());
  expect(served).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined]);
  expect(queue.length).toBe(0);
});

test('takes no more than its capacity, which may change', () => {
  let capacity = 2;
  const queue = createFairQueue<number>(() => capacity);
  expect(
    [queue.push(from('a'), 1), queue.push(from('b'), 2), queue.push(from('c'), 3)].map(({ kind }) => kind),
  ).toEqual(['queued', 'queued', 'full']);
  capacity = 3;
  expect(queue.push(from('c'), 3)).toEqual({ kind: 'queued', displaced: null });
  expect(queue.length).toBe(3);
});

test('gives back what is still waiting, once', () => {
  const queue = createFairQueue<string>(() => 10);
  queue.push(from('a'), 'a1');
  queue.push(from('a'), 'a2');
  expect(queue.remove(from('a'), 'a1')).toBe(true);
  expect(queue.remove(from('a'), 'a1')).toBe(false);
  expect(queue.remove(from('b'), 'a2')).toBe(false);
  expect(queue.shift()).toBe('a2');
  expect(queue.remove(from('a'), 'a2')).toBe(false);
  expect(queue.length).toBe(0);
});

test('when it is full, makes room for a newcomer at the cost of the one who has the most in it', () => {
  const queue = createFairQueue<string>(() => 4);
  for (const item of ['a1', 'a2', 'a3']) queue.push(from('a'), item);
  queue.push(from('b'), 'b1');
  expect(queue.push(from('c'), 'c1')).toEqual({ kind: 'queued', displaced: 'a3' });
  expect(queue.push(from('d'), 'd1')).toEqual({ kind: 'queued', displaced: 'a2' });
  expect(queue.push(from('e'), 'e1')).toEqual({ kind: 'full', displaced: null });
  expect(queue.push(from('a'), 'a4')).toEqual({ kind: 'full', displaced: null });
  expect(Array.from({ length: 4 }, () => queue.shift())).toEqual(['a1', 'b1', 'c1', 'd1']);
  expect(queue.length).toBe(0);
});

test('takes turns at each step of the path: a network of many does not keep one outside waiting', () => {
  const queue = createFairQueue<string>(() => 100);
  for (let subnet = 0; subnet < 50; subnet++) queue.push(from('net a', `a${String(subnet)}`), `a${String(subnet)}`);
  queue.push(from('net b', 'b'), 'b');
  queue.push(from('net a', 'a0'), 'a0 again');
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual(['a0', 'b', 'a1']);
  expect(queue.remove(from('net a', 'a0'), 'a0 again')).toBe(true);
  expect(queue.length).toBe(48);
});

test('when it is full of single items of one network, a newcomer from elsewhere gets the place of one of them', () => {
  const queue = createFairQueue<string>(() => 4);
  for (const name of ['a1', 'a2', 'a3', 'a4']) queue.push(from('net a', name), name);
  expect(queue.push(from('net b', 'b1'), 'b1')).toEqual({ kind: 'queued', displaced: 'a1' });
  expect(queue.push(from('net a', 'a5'), 'a5').kind).toBe('full');
  expect(queue.length).toBe(4);
});

test('a lower rank yields to a higher one down to its quarter, which the higher one yields to it', () => {
  const queue = createFairQueue<string>(() => 8);
  for (let party = 0; party < 8; party++) queue.push(ranked('failing', `f${String(party)}`), `f${String(party)}`);
  const kinds = (rank: Rank) =>
    Array.from({ length: 7 }, (_, index) => queue.push(ranked(rank, `${rank} ${String(index)}`), rank).displaced);
  expect(kinds('proved').map((displaced) => displaced?.startsWith('f') ?? null)).toEqual([
    ...new Array<boolean>(6).fill(true),
    null,
  ]);
  expect(kinds('new').filter((displaced) => displaced === 'proved')).toHaveLength(2);
  expect(queue.push(ranked('failing', 'one more'), 'f').kind).toBe('full');
  expect(queue.length).toBe(8);
});

test('ranks are served in turn', () => {
  const queue = createFairQueue<Rank>(() => 100);
  for (let party = 0; party < 9; party++) {
    queue.push(ranked('proved', String(party)), 'proved');
    queue.push(ranked('failing', String(party)), 'failing');
  }
  queue.push(ranked('new', 'x'), 'new');
  expect(Array.from({ length: 5 }, () => queue.shift())).toEqual(['proved', 'new', 'failing', 'proved', 'failing']);
});

test('makes room within a part of the path, also for a party whose rank has changed', () => {
  const queue = createFairQueue<string>(() => 100);
  for (const item of ['1', '2', '3']) queue.push(ranked('new', 'net', 'host', 'prom', 'first'), item);
  queue.push(ranked('new', 'net', 'other host', 'prom', 'first'), 'x');
  expect(queue.displaceWithin(ranked('failing', 'net', 'host', 'prom', 'again'), 2)).toBe('3');
  expect(queue.displaceWithin(ranked('failing', 'net', 'host', 'prom', 'first'), 2)).toBeNull();
  expect(queue.displaceWithin(ranked('failing', 'net', 'host', 'grafana', 'first'), 2)).toBe('2');
  expect(queue.length).toBe(2);
});
