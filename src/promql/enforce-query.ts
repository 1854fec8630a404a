/**
 * A query, narrowed: matchers are added to every selector in it, beside its own, which stay. What comes out is written
 * anew from what was read, read once more, and refused if it is not the query that was meant.
 */
import { conjoin } from './conjoin.ts';
import { judgeQuery } from './judge-query.ts';
import { printSelector } from './print-selector.ts';
import { fault } from './scan.ts';
import type { Fault } from './scan.ts';
import type { Matcher, Selector } from './selector.ts';
import { writeQuery } from './write-query.ts';

/** In UTF-16 units: no form and no target is longer. */
export const LONGEST_QUERY = 65_536;

/** `position` is an index into the query. */
export type Enforced = { readonly ok: true; readonly query: string } | Fault;

/**
 * Adds the matchers to every selector of a PromQL query. Pure, and a query that was narrowed comes out as it went in.
 *
 * Why it suffices: but for selectors, no function, aggregation or operator on the list reads series (language.ts), so that
 * the answer is a function of the series that the selectors let through, of the query's own text and of the time.
 * `label_replace`, `label_join` and `count_values` put words of the query or values of allowed series into labels: an
 * answer can claim another tenant's label, not carry its samples. `absent` invents labels from the selector's matchers, ours
 * among them. `vector`, `scalar`, `time`, `pi` and `@ start()` make numbers of numbers and of the request's own times. `or`,
 * `and` and `unless` have a narrowed selector on either side. `ALERTS` and what rules recorded are series like any other.
 *
 * @param matchers must not be empty
 */
export function enforceQuery(query: string, matchers: readonly Matcher[]): Enforced {
  if (matchers.length === 0) return fault('nothing to enforce', 0);
  const judged = judgeQuery(query, LONGEST_QUERY);
  if (!judged.ok) return judged;
  const narrowed = [...judged.selectors].map(
    ([at, selector]) => [at, printSelector(conjoin(selector, matchers))] as const,
  );
  const written = writeQuery(judged.source, new Map(narrowed));
  return isAsMeant(written, matchers, narrowed.length) ? { ok: true, query: written } : fault('cannot be narrowed', 0);
}

/** Whether a query that was written reads as one of so many selectors that carry all the matchers, and writes as itself. */
function isAsMeant(written: string, matchers: readonly Matcher[], count: number): boolean {
  const judged = judgeQuery(written, Infinity);
  if (!judged.ok || judged.selectors.size !== count) return false;
  const selectors = [...judged.selectors];
  if (!selectors.every(([, selector]) => carries(selector, matchers))) return false;
  return (
    written === writeQuery(judged.source, new Map(selectors.map(([at, selector]) => [at, printSelector(selector)])))
  );
}

function carries({ matchers: own }: Selector, matchers: readonly Matcher[]): boolean {
  return matchers.every(({ label, operator, value }) =>
    own.some((matcher) => matcher.label === label && matcher.operator === operator && matcher.value === value),
  );
}
