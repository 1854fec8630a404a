import fc from '../support/property.ts';
import { describe, expect, it } from 'vitest';
import { conjoin, product } from '../../src/promql/conjoin.ts';
import { enforceQuery } from '../../src/promql/enforce-query.ts';
import { judgeQuery } from '../../src/promql/judge-query.ts';
import { compile } from '../../src/promql/matches.ts';
import { parseSelector } from '../../src/promql/parse-selector.ts';
import { printSelector } from '../../src/promql/print-selector.ts';
import type { Matcher, Selector } from '../../src/promql/selector.ts';
import { quote, readLiteral } from '../../src/promql/string-literal.ts';
import { PromqlCorpus } from '../support/promql-corpus.ts';
import { quoteInSomeWay } from '../support/promql-strings.ts';
import { randomFrom } from '../support/random.ts';
import { SelectorCorpus } from '../support/selector-corpus.ts';
import { WORDS } from '../support/tenant-blocks.ts';

const seed = fc.integer({ min: 0 });
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'\\"\'`\n\r{}#a\0\ufffd') }),
);
const label = fc.oneof(
  fc.constantFrom('tenant', 'job', '__name__', 'sum', 'by'),
  text.filter((name) => name !== ''),
);
const value = fc.oneof(fc.constantFrom('t1', 't2', 'a', ''), text);
const regex = fc.constantFrom('.*', '.+', 't1|t2', '(t).', '', 'a{1,3}', '(?i)T1');
const matcher: fc.Arbitrary<Matcher> = fc.oneof(
  fc.record({ label, operator: fc.constantFrom('=' as const, '!=' as const), value }),
  fc.record({ label, operator: fc.constantFrom('=~' as const, '!~' as const), value: regex }),
);
/** With a matcher that refuses the empty text, and at least one. */
const selector: fc.Arbitrary<Selector> = fc
  .tuple(fc.array(matcher, { maxLength: 4 }), value)
  .map(([matchers, name]) => ({ matchers: [{ label: '__name__', operator: '=', value: name || 'up' }, ...matchers] }));
const series = fc.dictionary(fc.constantFrom('tenant', 'job', '__name__', 'sum', 'by'), value);
const has = (labels: Record<string, string>, name: string) => (Object.hasOwn(labels, name) ? labels[name] : undefined);

describe('strings', () => {
  it('a text is read back from however it is quoted', () => {
    fc.assert(
      fc.property(text, seed, (original, random) => {
        for (const written of [quote(original), quoteInSomeWay(original, randomFrom(random))]) {
          expect(readLiteral(`x${written}y`, 1)).toEqual({ end: written.length + 1, value: original });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('selectors', () => {
  it('what is printed is read as what was printed, and printed the same', () => {
    fc.assert(
      fc.property(selector, (original) => {
        const printed = printSelector(original);
        const read = parseSelector(printed);
        if (!read.ok) throw new Error(`${read.message}: ${printed}`);
        expect(printSelector(read.value)).toBe(printed);
        expect(new Set(read.value.matchers)).toEqual(new Set(original.matchers));
      }),
      { numRuns: 2_000 },
    );
  });

  it('a conjunction matches what both match', () => {
    fc.assert(
      fc.property(selector, selector, series, (one, other, labels) => {
        const of = (asked: Selector) => compile(asked)((name) => has(labels, name));
        expect(of(conjoin(one, other.matchers))).toBe(of(one) && of(other));
      }),
    );
  });

  it('a product matches what one of each and all labels match', () => {
    const some = fc.array(selector, { maxLength: 3 });
    fc.assert(
      fc.property(some, some, fc.array(matcher, { maxLength: 2 }), series, (own, asked, labels, one) => {
        fc.pre(own.length + labels.length > 0);
        const of = (all: readonly Selector[]) => all.some((each) => compile(each)((name) => has(one, name)));
        const allowed = own.length === 0 || of(own);
        const narrowed = product(own, asked, labels, 100) ?? [];
        expect(of(narrowed)).toBe(allowed && of(asked) && compile({ matchers: labels })((name) => has(one, name)));
      }),
    );
  });

  it('no text makes the reader throw or take long', () => {
    const nearly = seed.map((random) => new SelectorCorpus(random).mutated());
    fc.assert(
      fc.property(fc.oneof(text, nearly), (anything) => {
        const read = parseSelector(anything);
        if (read.ok) expect(parseSelector(printSelector(read.value)).ok).toBe(true);
      }),
      { numRuns: 3_000, interruptAfterTimeLimit: 15_000, markInterruptAsFailure: true },
    );
  });
});

describe('queries', () => {
  const query = seed.chain((random) => {
    const corpus = new PromqlCorpus(random, { ...WORDS, newest: true });
    return fc.constantFrom(corpus.next().text, corpus.mutated());
  });
  const enforcement = fc.array(matcher, { minLength: 1, maxLength: 3 });
  const selectorsOf = (asked: string): Selector[] => {
    const judged = judgeQuery(asked, Infinity);
    if (!judged.ok) throw new Error(judged.reason);
    return [...judged.selectors.values()];
  };

  it('what was narrowed stays as it is', () => {
    fc.assert(
      fc.property(query, enforcement, (asked, matchers) => {
        const once = enforceQuery(asked, matchers);
        if (!once.ok) return;
        fc.pre(once.query.length <= 65_536);
        expect(enforceQuery(once.query, matchers)).toEqual(once);
      }),
      { numRuns: 1_000 },
    );
  });

  it('every selector of what comes out selects what it selected before, of the series that are allowed', () => {
    fc.assert(
      fc.property(query, enforcement, fc.array(series, { minLength: 1 }), (asked, matchers, all) => {
        const enforced = enforceQuery(asked, matchers);
        if (!enforced.ok) return;
        const [before, after] = [selectorsOf(asked), selectorsOf(enforced.query)];
        // Regular expressions in queries are left for Prometheus to refuse.
        fc.pre(before.every((one) => parseSelector(printSelector(one)).ok));
        expect(after).toHaveLength(before.length);
        for (const labels of all) {
          const of = (one: Selector) => compile(one)((name) => has(labels, name));
          const allowed = of({ matchers });
          expect(after.map(of)).toEqual(before.map((one) => of(one) && allowed));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('no text makes the judge throw or take long', () => {
    fc.assert(
      fc.property(fc.oneof(text, query), enforcement, (asked, matchers) => {
        enforceQuery(asked, matchers);
      }),
      { numRuns: 3_000, interruptAfterTimeLimit: 15_000, markInterruptAsFailure: true },
    );
  });
});
