import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { regexCost } from '../../src/promql/regex-cost.ts';
import { SelectorCorpus } from '../support/selector-corpus.ts';

describe('the cost of a regular expression', () => {
  it.each([
    ['a', 1],
    ['node-.*', 7],
    ['a{1000}', 1000],
    ['(?:ab?){1000}', 8000],
    // What looks like the end of a group, and is a letter.
    [String.raw`(a{100}[)]b\)c\Q)\E){10}`, 1150],
    ['[])]{10}', 40],
    ['[[:alpha:])]{10}', 120],
    [String.raw`\x{1000}`, 8],
    ['a{1', 3],
    [String.raw`\pL{10}`, 3030],
    ['(?i)[a-z]', 32],
  ])('of %s is about %d', (pattern, cost) => {
    expect(Math.abs(regexCost(pattern) - cost)).toBeLessThanOrEqual(cost / 3);
  });

  it.each([
    '(a{1000}b?){1000}',
    '((a{1000}){1000}',
    String.raw`(?i)[a-\x{10ffff}]`.repeat(3),
    '(?i)[a-\u{10ffff}]'.repeat(3),
    String.raw`\pL`.repeat(20),
  ])('of %s is more than anybody may spend', (pattern) => {
    expect(regexCost(pattern)).toBeGreaterThan(4_096);
  });

  it('is no less than the size of the program, whatever the pattern', () => {
    const corpus = new SelectorCorpus(7);
    for (let count = 0; count < 3_000; count++) {
      const pattern = corpus.regex(4);
      let size;
      try {
        size = RE2JS.compile(pattern, RE2JS.DOTALL).programSize();
      } catch {
        continue;
      }
      // An instruction to fail, one to match, two for the whole as a group.
      expect(size, pattern).toBeLessThanOrEqual(regexCost(pattern) + 4);
    }
  });
});
