/** Whose headers are given up when all of them are too many. */
import { expect, test } from 'vitest';
import { heaviest, holdsTooMuch } from '../../src/listen/header-memory.ts';

const MB = 1024 * 1024;
const holder = (peer: string, headerBytes: number, authenticated = false) => ({
  headerBytes,
  authenticated,
  facts: { id: 1, peer, tls: null },
});

test('nobody while there is room', () => {
  expect(heaviest([holder('192.0.2.1', 30 * MB)], 30 * MB)).toBeNull();
});

test('the heaviest of the address and net that hold most, however they are divided', () => {
  const bots = Array.from({ length: 100 }, (_, host) => holder(`203.0.113.${host}`, 0.4 * MB));
  const most = holder('203.0.113.200', 0.5 * MB);
  const honest = holder('198.51.100.1', 2 * MB);
  expect(heaviest([honest, ...bots, most], 42.5 * MB)).toBe(most);
});

test('strangers before those who have authenticated, where they hold half', () => {
  const known = holder('198.51.100.1', 16 * MB, true);
  const stranger = holder('203.0.113.1', 17 * MB);
  expect(heaviest([known, stranger], 33 * MB)).toBe(stranger);
  expect(heaviest([holder('198.51.100.1', 32 * MB, true), holder('203.0.113.1', MB)], 33 * MB)?.authenticated).toBe(
    true,
  );
});

test('one connection has its own bound, and a stranger half of it', () => {
  expect(holdsTooMuch({ headerBytes: 0.6 * MB, authenticated: true })).toBe(false);
  expect(holdsTooMuch({ headerBytes: 0.6 * MB, authenticated: false })).toBe(true);
});
