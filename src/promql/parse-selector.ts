/** A series selector as text → Selector: what Prometheus reads in `match[]` (parser.ParseMetricSelector), no more. */
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { compileMatcher } from './matches.ts';
import { regexBudget } from './regex.ts';
import type { RegexBudget } from './regex.ts';
import { readSelector } from './read-selector.ts';
import { describeFault } from './scan.ts';
import type { Selector } from './selector.ts';
import { readSyntax } from './syntax.ts';

/** In UTF-16 units. */
const LONGEST_SELECTOR = 65_536;

/**
 * Reads `name`, `name{…}`, `{…}` and `{"name", …}`. At least one matcher must refuse the empty text, but where `mayBeWide`
 * (Prometheus's /federate asks for no such thing), and every regular expression must be one. Where Prometheus 2.42 and 3.x differ the stricter holds, but for quoted names, which only 3.x has.
 * @param budget for the regular expressions; one for all selectors of a request bounds them together
 */
export function parseSelector(text: string, budget: RegexBudget = regexBudget(), mayBeWide = false): Parsed<Selector> {
  const source = readSyntax(text, LONGEST_SELECTOR);
  if (!source.ok) return unparsed(describeFault(source));
  const node = source.tree.topNode.firstChild;
  if (node?.name !== 'VectorSelector' || node.nextSibling !== null) {
    return unparsed('not a series selector', 'metric and matchers only: no functions, ranges or offset');
  }
  const selector = readSelector(source, node);
  if (!selector.ok) return unparsed(selector.reason);
  let refusesEmpty = mayBeWide;
  for (const matcher of selector.value.matchers) {
    const holds = compileMatcher(matcher, budget);
    if (!holds.ok) return holds;
    refusesEmpty ||= !holds.value('');
  }
  return refusesEmpty
    ? parsed(selector.value)
    : unparsed('a selector needs a matcher that the empty text does not match');
}
