import { expect, test } from 'vitest';
import { createRequestIds } from '../../src/request/request-ids.ts';

test('an id is 16 hexadecimal digits, and none comes twice across batches', () => {
  const next = createRequestIds();
  const ids = Array.from({ length: 2000 }, next);
  expect(ids.every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
});

test('two sources give different ids', () => {
  expect(createRequestIds()()).not.toBe(createRequestIds()());
});
