import { expect, test } from 'vitest';
import { createKeyedDigest } from '../../../src/request/authenticate/keyed-digest.ts';
import { createPasswordCache } from '../../../src/request/authenticate/password-cache.ts';

function start(capacity?: number) {
  const cache = createPasswordCache(createKeyedDigest(), capacity);
  cache.renew('one');
  return cache;
}

test('what was right is remembered until the credentials change', () => {
  const cache = start();
  const key = cache.keyOf('one', 'prom', 'line', 'secret');
  expect(cache.has(key)).toBe(false);
  cache.remember(key, 'one');
  expect(cache.has(key)).toBe(true);
  cache.renew('one');
  expect(cache.has(key)).toBe(true);
  cache.renew('two');
  expect(cache.has(key)).toBe(false);
});

test('a check that began under an older generation is not entered', () => {
  const cache = start();
  const key = cache.keyOf('one', 'prom', 'line', 'secret');
  cache.renew('two');
  cache.remember(key, 'one');
  expect(cache.has(key)).toBe(false);
});

test('each field of the key counts, and where it ends', () => {
  const cache = start();
  const keys = [
    cache.keyOf('one', 'prom', 'line', 'secret'),
    cache.keyOf('two', 'prom', 'line', 'secret'),
    cache.keyOf('one', 'graf', 'line', 'secret'),
    cache.keyOf('one', 'prom', 'other', 'secret'),
    cache.keyOf('one', 'prom', 'line', 'Secret'),
    cache.keyOf('one', 'proml', 'ine', 'secret'),
    cache.keyOf('one', 'prom', 'lines', 'ecret'),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test('holds no more than its capacity, the last used', () => {
  const cache = start(2);
  const keys = ['a', 'b', 'c'].map((password) => cache.keyOf('one', 'prom', 'line', password));
  const [a = '', b = '', c = ''] = keys;
  cache.remember(a, 'one');
  cache.remember(b, 'one');
  expect(cache.has(a)).toBe(true);
  cache.remember(c, 'one');
  expect([cache.has(a), cache.has(b), cache.has(c)]).toEqual([true, false, true]);
  expect(cache.size).toBe(2);
});

test('keys hold no password', () => {
  expect(start().keyOf('one', 'prom', 'line', 'secret')).toMatch(/^[\w-]{43}$/);
});
