/** A Selector as text that every Prometheus reads as that selector, whatever its labels and values are. */
import { METRIC_NAME_LABEL, RESERVED_WORDS } from './language.ts';
import type { Matcher, Selector } from './selector.ts';
import { quote } from './string-literal.ts';

const PLAIN_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const PLAIN_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * `name{label="value", …}`, the name before the braces where it is a plain one. Matchers keep their order: `absent()` looks
 * at it. Labels that Prometheus 2 has no words for are quoted, which only 3.x reads.
 */
export function printSelector({ matchers }: Selector): string {
  const name = plainName(matchers);
  const others = name === null ? matchers : matchers.filter(({ label }) => label !== METRIC_NAME_LABEL);
  if (name !== null && others.length === 0) return name;
  return `${name ?? ''}{${others.map(printMatcher).join(',')}}`;
}

/** The name that may stand before the braces; null: there is none, or it must be written as a matcher. */
function plainName(matchers: readonly Matcher[]): string | null {
  const names = matchers.filter(({ label }) => label === METRIC_NAME_LABEL);
  const [only] = names;
  if (only?.operator !== '=' || names.length > 1 || !PLAIN_METRIC.test(only.value)) return null;
  return RESERVED_WORDS.has(only.value.toLowerCase()) ? null : only.value;
}

function printMatcher({ label, operator, value }: Matcher): string {
  return `${printLabelName(label)}${operator}${quote(value)}`;
}

export function printLabelName(label: string): string {
  return PLAIN_LABEL.test(label) ? label : quote(label);
}
