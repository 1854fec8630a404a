/**
 * The gate's own series as Prometheus's /federate would give them (web/federate.go): those that one of the selectors
 * matches, sorted by name, untyped, each with the time. Pure, and in steps: a selector's regular expressions may be costly.
 */
import { compileMatcher } from '../promql/matches.ts';
import { parseSelector } from '../promql/parse-selector.ts';
import { regexBudget } from '../promql/regex.ts';
import type { Matcher, Selector } from '../promql/selector.ts';

/** As prom-client's `getMetricsAsJSON` gives it. */
export interface MetricValues {
  readonly name: string;
  readonly values: readonly {
    readonly value: number;
    readonly labels: Readonly<Record<string, string | number | undefined>>;
    /** Of a histogram's or summary's series; absent: the metric's own name. */
    readonly metricName?: string;
  }[];
}

/** More than a scrape job has, and less than a stranger could keep a core busy with. */
const MOST_SELECTORS = 100;
/** Of all their regular expressions together, in the units of promql/regex-cost.ts: some six milliseconds to compile. */
const REGEX_COST = 2_048;

/** Returns at the end; what it yields is a place to let others go first. */
type Steps<T> = Generator<undefined, T, undefined>;

export type Federated = { readonly fault: string } | { readonly page: string };

/**
 * @param selectors the values of `match[]`
 * @param nowMs the time of every sample, milliseconds since the epoch
 */
export function* federate(
  selectors: readonly string[],
  metrics: readonly MetricValues[],
  nowMs: number,
): Steps<Federated> {
  if (selectors.length > MOST_SELECTORS) return { fault: `more than ${String(MOST_SELECTORS)} match[]` };
  const budget = regexBudget(REGEX_COST);
  const read: Selector[] = [];
  for (const text of selectors) {
    const selector = parseSelector(text, budget, true);
    if (!selector.ok) return { fault: selector.message };
    read.push(selector.value);
    yield;
  }
  return { page: yield* pageOf(read, metrics, nowMs) };
}

function* pageOf(selectors: readonly Selector[], metrics: readonly MetricValues[], nowMs: number): Steps<string> {
  const matchers = selectors.map((selector) => selector.matchers.map(remembering));
  const byName = new Map<string, string[]>();
  for (const { name, values } of metrics) {
    for (const { value, labels, metricName = name } of values) {
      const read = (label: string): string => (label === '__name__' ? metricName : (textOf(labels[label]) ?? ''));
      let isWanted = false;
      for (const tests of matchers) {
        isWanted ||= tests.every((test) => test(read));
        yield;
      }
      if (!isWanted) continue;
      const lines = byName.get(metricName) ?? [];
      byName.set(metricName, lines);
      lines.push(`${metricName}${labelText(labels)} ${numberText(value)} ${String(nowMs)}\n`);
    }
  }
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, lines]) => `# TYPE ${name} untyped\n${lines.join('')}`)
    .join('');
}

/** Labels have few values: each is held against an expression once. */
function remembering(matcher: Matcher): (read: (label: string) => string) => boolean {
  // What it may cost was judged when the selector was read.
  const holds = compileMatcher(matcher, regexBudget(Infinity));
  if (!holds.ok) throw new Error(holds.message);
  const known = new Map<string, boolean>();
  return (read) => {
    const text = read(matcher.label);
    const found = known.get(text) ?? holds.value(text);
    known.set(text, found);
    return found;
  };
}

function textOf(value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function labelText(labels: MetricValues['values'][number]['labels']): string {
  const pairs = Object.entries(labels).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}="${escaped(String(value))}"`],
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
