/** A selector as a predicate over the labels of a series, with Prometheus's semantics. */
import { parsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { compileRegex, regexBudget } from './regex.ts';
import type { RegexBudget } from './regex.ts';
import type { Matcher, Selector } from './selector.ts';

/** The value of a label; undefined when the series has no such label, which is the same as the empty text. */
export type LabelsOf = (name: string) => string | undefined;

/** @throws Error for a regular expression that parseSelector would have refused: a defect, not a stranger's doing. */
export function compile(selector: Selector): (labels: LabelsOf) => boolean {
  return compileMatchers(selector.matchers);
}

/** All of them must hold; without any, every series does. @throws as `compile` does */
export function compileMatchers(matchers: readonly Matcher[]): (labels: LabelsOf) => boolean {
  // What it may cost was judged when the selectors were read.
  const budget = regexBudget(Infinity);
  const tests = matchers.map((matcher) => {
    const holds = compileMatcher(matcher, budget);
    if (!holds.ok) throw new Error(holds.message);
    return { label: matcher.label, holds: holds.value };
  });
  return (labels) => tests.every(({ label, holds }) => holds(labels(label) ?? ''));
}

/** The values that a label may have, as far as they are known; undefined: it may have any or none. */
export type ValuesOf = (name: string) => readonly string[] | undefined;

/** Whether a series of which only some labels are known can match all of the matchers: false is certain. @throws as `compile` does */
export function compileMayMatch(matchers: readonly Matcher[]): (values: ValuesOf) => boolean {
  const tests = matchers.map((matcher) => ({ label: matcher.label, holds: compileMatchers([matcher]) }));
  return (valuesOf) => tests.every(({ label, holds }) => valuesOf(label)?.some((value) => holds(() => value)) ?? true);
}

/** A test of the label's value. */
export function compileMatcher({ operator, value }: Matcher, budget: RegexBudget): Parsed<(text: string) => boolean> {
  if (operator === '=') return parsed((text) => text === value);
  if (operator === '!=') return parsed((text) => text !== value);
  const regex = compileRegex(value, budget);
  if (!regex.ok || operator === '=~') return regex;
  return parsed((text) => !regex.value(text));
}
