/** Narrowing of selectors by selectors. The result never matches a series that one of its parts refuses. */
import { printSelector } from './print-selector.ts';
import type { Matcher, Selector } from './selector.ts';

/**
 * The selector with the matchers in addition to its own, which stay as they are. One that is already there, letter by
 * letter, is not said twice: it would change what `absent()` answers.
 */
export function conjoin(selector: Selector, matchers: readonly Matcher[]): Selector {
  const conjoined = [...selector.matchers];
  for (const matcher of matchers) {
    if (!conjoined.some((own) => isSame(own, matcher))) conjoined.push(matcher);
  }
  return { matchers: conjoined };
}

function isSame(one: Matcher, other: Matcher): boolean {
  return one.label === other.label && one.operator === other.operator && one.value === other.value;
}

/**
 * What `match[]` becomes: each selector asked for, narrowed by each of the identity's own and by all its labels. A series
 * matches one of the results if it matches one asked for, one of `own` (if there is any) and every one of `labels`.
 * @param own empty: the identity has no selectors, only labels
 * @param most the most selectors that may come out, duplicates removed
 * @returns null when there would be more
 */
export function product(
  own: readonly Selector[],
  asked: readonly Selector[],
  labels: readonly Matcher[],
  most: number,
): readonly Selector[] | null {
  const found = new Map<string, Selector>();
  const parts = own.length === 0 ? [labels] : own.map(({ matchers }) => [...matchers, ...labels]);
  for (const selector of asked) {
    for (const part of parts) {
      const narrowed = conjoin(selector, part);
      found.set(printSelector(narrowed), narrowed);
      if (found.size > most) return null;
    }
  }
  return [...found.values()];
}
