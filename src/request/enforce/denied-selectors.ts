/**
 * `deny_match`: selectors that an identity may not ask for, in whatever spelling. Pure. A convenience that keeps people
 * from asking for everything by mistake, and no boundary: who wants to gets around it; what holds are the caps.
 */
import type { Matcher, Selector } from '../../promql/selector.ts';

/** The matchers of a selector that narrow anything, each in one spelling. */
export type Narrowness = ReadonlySet<string>;

/** Every series has a name, so that a name of whatever kind narrows nothing. */
export function narrownessOf({ matchers }: Selector): Narrowness {
  return new Set(matchers.flatMap(spelling));
}

function spelling({ label, operator, value }: Matcher): string[] {
  const [plainOperator, plainValue] = plain(operator, value);
  if (plainOperator === null || (label === '__name__' && plainOperator === '!=' && plainValue === '')) return [];
  return [JSON.stringify([label, plainOperator, plainValue])];
}

const METACHARACTER = /[\\.+*?()|[\]{}^$]/;

/** A regular expression that is none; null: one that everything matches. */
function plain(operator: Matcher['operator'], value: string): readonly [Matcher['operator'] | null, string] {
  if (operator === '=~' && (value === '.*' || value === '.*.*')) return [null, ''];
  if (operator === '=~' && (value === '.+' || value === '.*.+' || value === '.+.*')) return ['!=', ''];
  if (METACHARACTER.test(value)) return [operator, value];
  if (operator === '=~') return ['=', value];
  return [operator === '!~' ? '!=' : operator, value];
}

/** Whether what is asked for is as wide as something denied: it has no matcher that the denied selector lacks. */
export function isDenied(asked: Selector, denied: readonly Narrowness[]): boolean {
  if (denied.length === 0) return false;
  const narrowness = [...narrownessOf(asked)];
  return denied.some((one) => narrowness.every((matcher) => one.has(matcher)));
}
