/**
 * The gate's own series as Prometheus's /federate would give them (web/federate.go): those that one of the selectors
 * matches, sorted by name, untyped, each with the time. Pure.
 */
import { compile } from '../promql/matches.ts';
import type { Selector } from '../promql/selector.ts';

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

/** @param nowMs the time of every sample, milliseconds since the epoch. */
export function federate(metrics: readonly MetricValues[], selectors: readonly Selector[], nowMs: number): string {
  const matchers = selectors.map(compile);
  const byName = new Map<string, string[]>();
  for (const { name, values } of metrics) {
    for (const { value, labels, metricName = name } of values) {
      const read = (label: string) => (label === '__name__' ? metricName : textOf(labels[label]));
      if (!matchers.some((matches) => matches(read))) continue;
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
