import { describe, expect, it } from 'vitest';
import { compile, compileMatchers } from '../../src/promql/matches.ts';
import type { MatchOperator } from '../../src/promql/selector.ts';

const matches = (operator: MatchOperator, value: string, text: string | undefined): boolean =>
  compile({ matchers: [{ label: 'a', operator, value }] })((label) => (label === 'a' ? text : 'another'));

describe('a predicate', () => {
  it.each([
    ['=', 'b', 'b', true],
    ['=', 'b', 'bb', false],
    ['=', '', undefined, true],
    ['!=', '', undefined, false],
    ['!=', 'b', undefined, true],
    // Anchored at both ends, whatever the pattern says.
    ['=~', 'b', 'ab', false],
    ['=~', 'b|c', 'bc', false],
    ['=~', 'b|c.*', 'bc', false],
    ['=~', '^b$', 'b', true],
    ['=~', 'b$', 'b\n', false],
    ['=~', '.*', undefined, true],
    ['=~', '.+', undefined, false],
    ['!~', '.+', undefined, true],
    ['!~', 'b|c', 'c', false],
    ['=~', '', '', true],
    ['=~', 'b|', '', true],
    // As in Prometheus 3 the dot is every letter; one letter is one code point.
    ['=~', 'a.b', 'a\nb', true],
    ['=~', '.', '😀', true],
    ['=~', '(?-s).', '\n', false],
    ['=~', '(?i)B', 'b', true],
    // Plain values with quoted letters, and what only looks like them.
    ['=~', String.raw`a\.b|c\|d|\\`, 'a.b', true],
    ['=~', String.raw`a\.b|c\|d|\\`, 'axb', false],
    ['=~', String.raw`a\.b|c\|d|\\`, 'c|d', true],
    ['=~', String.raw`a\.b|c\|d|\\`, '\\', true],
    ['=~', String.raw`\d|x`, '7', true],
    ['=~', String.raw`\Qa.b\E`, 'a.b', true],
  ] as const)('says that %s %j of %j is %j', (operator, value, text, expected) => {
    expect(matches(operator, value, text)).toBe(expected);
  });

  it('wants all matchers, of one label too', () => {
    const both = compileMatchers([
      { label: 'a', operator: '=~', value: 'x.*' },
      { label: 'a', operator: '!=', value: 'xy' },
    ]);
    expect(['x', 'xz', 'xy', 'z'].map((text) => both(() => text))).toEqual([true, true, false, false]);
  });

  it('throws for a regular expression that no parser has let pass', () => {
    expect(() => matches('=~', '(', 'b')).toThrow('not a regular expression of RE2: "("');
  });
});
