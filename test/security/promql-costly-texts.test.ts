/**
 * The attack: a short text that keeps the only thread busy. A backtracking regular expression takes seconds on twenty-seven
 * letters; one that repeats repetitions becomes a program of a million instructions, one that folds case through a range
 * visits every letter there is, one that opens named classes and closes none is read to its end for each; calls within calls make the parser's stack, and a list of names makes a long answer. What a
 * text costs is bounded before anything is compiled or walked.
 */
import { RE2JS } from 're2js';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { enforceQuery } from '../../src/promql/enforce-query.ts';
import { compile } from '../../src/promql/matches.ts';
import { parseSelector } from '../../src/promql/parse-selector.ts';
import { expectLinear } from '../support/expect-linear.ts';

const LONGEST = 16_384;
const compiled = vi.spyOn(RE2JS, 'compile');

beforeEach(() => {
  compiled.mockClear();
});

describe('regular expressions', () => {
  it.each([
    String.raw`(a{1000}b?){1000}`,
    String.raw`(?:ab?){999}`.repeat(300),
    String.raw`\pL`.repeat(4_000),
    String.raw`(\pL{30}){30}`,
    String.raw`(?i)[a-\x{10ffff}]`.repeat(500),
    '(?i)[a-\u{10ffff}]'.repeat(500),
    String.raw`((a{900})[(]b){1000}`,
    '('.repeat(5_000),
    `[${'[:'.repeat(8_000)}`,
    '[[:a]'.repeat(3_000),
    `${'[[:a]'.repeat(3_000)}[[:a:]`,
  ])('refuses %s before it is compiled', (pattern) => {
    expect(parseSelector(`{a=~${JSON.stringify(pattern)}}`)).toMatchObject({ ok: false });
    expect(compiled).not.toHaveBeenCalled();
  });

  it.each([
    String.raw`(?:ab?){9}`,
    String.raw`\pL`,
    String.raw`(?i)[a-\x{10ffff}]`,
    '(?i)[a-\u{10ffff}]',
    '(',
    '[[:',
    '[:',
    '[[:a]',
    '[[:a:]',
  ])('takes time linear in its length to refuse %s again and again', (piece) => {
    expectLinear({ small: LONGEST / 64, large: LONGEST }, (size) => {
      const selector = `{a=~${JSON.stringify(piece.repeat(size / piece.length))}}`;
      const bracketed = `{a=~${JSON.stringify(`[${piece.repeat(size / piece.length)}`)}}`;
      return () => {
        parseSelector(selector);
        parseSelector(bracketed);
      };
    });
  });

  it('matches in time linear in the text', () => {
    const selector = parseSelector('{a=~"(a|a)*b",c=~"(x+x+)+y"}');
    if (!selector.ok) throw new Error(selector.message);
    const matches = compile(selector.value);
    expectLinear({ small: 700, large: 50_000 }, (size) => {
      const texts = { a: 'a'.repeat(size), c: 'x'.repeat(size) };
      return () => {
        expect(matches((label) => (label === 'a' ? texts.a : texts.c))).toBe(false);
      };
    });
  });

  it('leaves those of a query for Prometheus', () => {
    const query = `{${Array.from({ length: 500 }, () => String.raw`a=~"(?i)(\\pL{30}){30}|"`).join(',')}}`;
    expect(enforceQuery(query, [{ label: 'tenant', operator: '=', value: 't1' }]).ok).toBe(true);
    expect(compiled).not.toHaveBeenCalled();
  });
});

describe('queries of the greatest length', () => {
  const repeated = [
    '(',
    'sum(',
    'abs(',
    'a or ',
    '1+',
    '-',
    '{',
    'a[',
    '"',
    '""',
    '#\r',
    'a{b="c"}',
    'a,',
    'sum by(a)',
    'a[1m:',
    '\\',
    'a @ ',
    'topk(1,',
    'a offset ',
  ];

  it.each(repeated)('are read in time linear in their length when they are %j again and again', (text) => {
    expectLinear({ small: LONGEST / 64, large: LONGEST }, (size) => {
      const ends = ['', 'a', ')', '"', '}'];
      const queries = ends.map((end) => text.repeat(size).slice(0, size - 1) + end);
      return () => {
        for (const query of queries) {
          enforceQuery(query, [{ label: 'tenant', operator: '=', value: 't1' }]);
          parseSelector(query);
        }
      };
    });
  });
});
