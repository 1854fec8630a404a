/**
 * The attack: a short text that keeps the only thread busy. A backtracking regular expression takes seconds on twenty-seven
 * letters; one that repeats repetitions becomes a program of a million instructions, one that folds case through a range
 * visits every letter there is, one that opens named classes and closes none is read to its end for each; calls within calls make the parser's stack, and a list of names makes a long answer. What a
 * text costs is bounded before anything is compiled or walked.
 */
import { describe, expect, it } from 'vitest';
import { enforceQuery } from '../../src/promql/enforce-query.ts';
import { compile } from '../../src/promql/matches.ts';
import { parseSelector } from '../../src/promql/parse-selector.ts';

/** Far more than any of them takes, far less than it took. */
const SOON_MS = 2_000;
const LONGEST = 16_384;

function expectSoon(work: () => void): void {
  const begun = performance.now();
  work();
  expect(performance.now() - begun).toBeLessThan(SOON_MS);
}

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
    expectSoon(() => {
      for (let times = 0; times < 50; times++) {
        expect(parseSelector(`{a=~${JSON.stringify(pattern)}}`)).toMatchObject({ ok: false });
      }
    });
  });

  it('matches in time linear in the text', () => {
    expectSoon(() => {
      const selector = parseSelector('{a=~"(a|a)*b",c=~"(x+x+)+y"}');
      if (!selector.ok) throw new Error(selector.message);
      const matches = compile(selector.value);
      expect(matches((label) => (label === 'a' ? 'a'.repeat(50_000) : 'x'.repeat(50_000)))).toBe(false);
    });
  });

  it('leaves those of a query for Prometheus', () => {
    expectSoon(() => {
      const query = `{${Array.from({ length: 500 }, () => String.raw`a=~"(?i)(\\pL{30}){30}|"`).join(',')}}`;
      expect(enforceQuery(query, [{ label: 'tenant', operator: '=', value: 't1' }]).ok).toBe(true);
    });
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

  it.each(repeated)('are read soon when they are %j again and again', (text) => {
    expectSoon(() => {
      for (const end of ['', 'a', ')', '"', '}']) {
        const query = text.repeat(LONGEST).slice(0, LONGEST - 1) + end;
        enforceQuery(query, [{ label: 'tenant', operator: '=', value: 't1' }]);
        parseSelector(query);
      }
    });
  });
});
