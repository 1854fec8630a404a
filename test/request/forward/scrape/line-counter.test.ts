import { readFile } from 'node:fs/promises';
import fc from '../../../support/property.ts';
import { expect, test } from 'vitest';
import wabt from 'wabt';
import { BINARY, createLineCounter, searchingCounter } from '../../../../src/request/forward/scrape/line-counter.ts';

test('the binary is what line-counter.wat says', async () => {
  const source = new URL('../../../../src/request/forward/scrape/line-counter.wat', import.meta.url);
  const tools = await wabt();
  const { buffer } = tools.parseWat('line-counter.wat', await readFile(source, 'utf8'), { simd: true }).toBinary({});
  expect(BINARY).toBe(Buffer.from(buffer).toString('base64'));
});

const counter = createLineCounter();

test('is the fast one here', () => {
  expect(counter).not.toBe(searchingCounter);
});

test('counts like the search does, whatever was counted before', () => {
  const letter = fc.constantFrom('\n', '\n', '#', ' ', '\t', '\r', 'a', '\v', '\xff');
  const chunk = fc.string({ unit: letter, maxLength: 200 }).map((text) => Buffer.from(text, 'latin1'));
  fc.assert(
    fc.property(chunk, fc.boolean(), (bytes, fresh) => {
      expect(counter.count(bytes, fresh)).toBe(searchingCounter.count(bytes, fresh));
    }),
    { numRuns: 5000 },
  );
});

test('counts chunks of any length', () => {
  const line = Buffer.from(' a_sample{label="value"} 1\n# HELP a b\n\n');
  const bytes = Buffer.alloc(300_000, line);
  for (const length of [0, 1, 15, 16, 17, 65_535, 65_536, 65_537, 131_072, 300_000]) {
    for (const fresh of [true, false]) {
      const chunk = bytes.subarray(0, length);
      expect(counter.count(chunk, fresh), String(length)).toBe(searchingCounter.count(chunk, fresh));
    }
  }
});

test('reads a view of a larger buffer that is no Buffer', () => {
  const whole = Buffer.from('xxa\nb\n#\nyy');
  const view = new Uint8Array(whole.buffer, whole.byteOffset + 2, 6);
  expect(counter.count(view, true)).toBe(5);
  expect(searchingCounter.count(view, true)).toBe(5);
});
