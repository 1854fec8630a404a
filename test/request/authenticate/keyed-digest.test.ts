import { createHash } from 'node:crypto';
import fc from '../../support/property.ts';
import { expect, test } from 'vitest';
import { createKeyedDigest } from '../../../src/request/authenticate/keyed-digest.ts';

const digest = createKeyedDigest(Buffer.alloc(32, 7));

test('two different lists of fields never make one key', () => {
  const fields = fc.array(fc.string({ unit: fc.constantFrom('a', '1', ':', '\0', '2') }), { maxLength: 4 });
  fc.assert(
    fc.property(fields, fields, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other);
      expect(digest('x', ...one) === digest('x', ...other)).toBe(isSame);
    }),
    { numRuns: 2000 },
  );
});

test('purposes are kept apart', () => {
  expect(digest('right', 'a')).not.toBe(digest('wrong', 'a'));
});

test('each process has its own key', () => {
  expect(createKeyedDigest()('x', 'a')).not.toBe(createKeyedDigest()('x', 'a'));
});

test('is SHA-512/256 of the hexadecimal digits of the key and the length-prefixed fields', () => {
  const key = Buffer.alloc(32, 7);
  const expected = createHash('sha512-256')
    .update(`${key.toString('hex')}1:x4:prom4:grün`)
    .digest('base64url');
  expect(createKeyedDigest(key)('x', 'prom', 'grün')).toBe(expected);
});

test('refuses a key that is too short', () => {
  expect(() => createKeyedDigest(Buffer.alloc(16))).toThrow('a key of 16 bytes, not 32');
});
