import fc from '../support/property.ts';
import { describe, expect, it } from 'vitest';
import { escapeForeign, quoteForeign } from '../../src/lib/foreign-text.ts';

describe('escapeForeign', () => {
  it('leaves readable what is readable, and quotes nothing', () => {
    expect(escapeForeign('/api/v1/query')).toBe('/api/v1/query');
    expect(escapeForeign('a "b" = c')).toBe('a "b" = c');
    expect(escapeForeign('')).toBe('');
  });

  it('escapes what a terminal or a log reader would act on', () => {
    expect(escapeForeign('a\r\n\t\x1b[31mé\u2028\x7f')).toBe('a\\r\\n\\t\\u001b[31m\\u00e9\\u2028\\u007f');
    expect(escapeForeign('\u{1f512}')).toBe('\\ud83d\\udd12');
  });

  it('shows no two short texts alike, an escape or a cut that was typed neither', () => {
    expect(escapeForeign('\\n')).toBe('\\\\n');
    expect(escapeForeign('…')).toBe('\\u2026');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 16 }), (text) => {
        const read = escapeForeign(text).replace(/\\(?:u([0-9a-f]{4})|(.))/g, (_all, code?: string, short?: string) =>
          code === undefined
            ? ({ n: '\n', r: '\r', t: '\t' }[short ?? ''] ?? short ?? '')
            : String.fromCharCode(parseInt(code, 16)),
        );
        expect(read).toBe(text);
      }),
    );
  });

  it('keeps 64 bytes and marks the cut, never half a character', () => {
    expect(escapeForeign('x'.repeat(64))).toBe('x'.repeat(64));
    expect(escapeForeign('x'.repeat(65))).toBe(`${'x'.repeat(64)}…`);
    expect(escapeForeign(`x${'\u{1f512}'.repeat(20)}`)).toBe(`x${'\\ud83d\\udd12'.repeat(15)}…`);
    expect(escapeForeign(`${'x'.repeat(63)}\u{1f512}`)).toBe(`${'x'.repeat(63)}…`);
  });

  it('is one line of printable ASCII, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeForeign(text)).toMatch(/^[\x20-\x7e]*…?$/);
      }),
    );
  });
});

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
