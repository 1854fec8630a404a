/** What is written is read back as it was, by us and by another reader; what we read strictly, a lenient reader reads alike. */
import fc from '../support/property.ts';
import { describe, expect, it } from 'vitest';
import { decodeParameters, encodeParameters } from '../../src/request/enforce/parameters.ts';

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('match[]', 'query', '{a="b"}', ';', '&', '=', '+', ' ', '%', '%2B', '#', '\ufeff', "'()*!"),
);
const parameters = fc
  .array(fc.record({ name: text, value: text }), { maxLength: 6 })
  .filter((all) => all.every(({ name, value }) => !`${name}${value}`.includes('\0')));

/** As a lenient reader has it. */
const lenient = (encoded: string) => [...new URLSearchParams(encoded)].map(([name, value]) => ({ name, value }));

describe('the serialisation of parameters', () => {
  it('is read back as it was written, by us and by URLSearchParams', () => {
    fc.assert(
      fc.property(parameters, (all) => {
        const written = encodeParameters(all);
        expect(written).toMatch(/^[A-Za-z0-9\-._~%=&]*$/);
        expect(decodeParameters(written)).toEqual({ ok: true, value: all });
        expect(decodeParameters(Buffer.from(written))).toEqual({ ok: true, value: all });
        expect(lenient(written)).toEqual(all);
      }),
    );
  });

  it('reads what it takes as everybody else does', () => {
    const part = fc.constantFrom(
      'a',
      'match[]',
      '=',
      '&',
      '+',
      '%20',
      '%C3%A9',
      '%c3',
      '%A9',
      '%',
      '%2',
      ';',
      '%3B',
      'é',
      '%00',
      '%26',
      '#',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const encoded = parts.join('');
        const read = decodeParameters(Buffer.from(encoded));
        if (read.ok) expect(read.value).toEqual(lenient(encoded));
        else expect(read.fault).not.toBe('');
      }),
      { numRuns: 2000 },
    );
  });
});
