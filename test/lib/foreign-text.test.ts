import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteForeign } from '../../src/lib/foreign-text.ts';

describe('quoteForeign', () => {
  it('quotes and escapes what a terminal or a log reader would act on', () => {
    expect(quoteForeign('prom')).toBe('"prom"');
    expect(quoteForeign('a"\n\x1b[31mé')).toBe('"a\\"\\n\\u001b[31m\\u00e9"');
  });

  it('keeps 64 bytes and marks the cut, never half a character', () => {
    expect(quoteForeign('x'.repeat(64))).toBe(`"${'x'.repeat(64)}"`);
    expect(quoteForeign('x'.repeat(65))).toBe(`"${'x'.repeat(64)}…"`);
    expect(quoteForeign('é'.repeat(33))).toBe(`"${'\\u00e9'.repeat(32)}…"`);
    expect(quoteForeign(`x${'é'.repeat(32)}`)).toBe(`"x${'\\u00e9'.repeat(31)}…"`);
  });

  it('is one line of printable ASCII, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(quoteForeign(text)).toMatch(/^"[\x20-\x7e]*…?"$/);
      }),
    );
  });
});
