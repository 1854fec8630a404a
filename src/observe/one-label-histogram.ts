/**
 * A histogram with one label for what every request observes. prom-client's own looks the labels up anew with each
 * observation; here the series is held by whoever observes. It is shown by prom-client's registry like the others.
 */
import type { Histogram, Registry } from 'prom-client';
import type { MetricRow } from './metric-list.ts';

export interface Observer {
  /** What is not a positive number counts as 0: an observation must never fail a request. */
  observe(value: number): void;
}

export interface OneLabelHistogram {
  /** The series of a value of the label; it exists from the first time on. */
  of(labelValue: string): Observer;
  remove(labelValue: string): void;
}

interface ShownValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName: string;
}

class Series implements Observer {
  readonly #bounds: readonly number[];
  /** How many fell into each bucket alone; the last one is beyond all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const counted = value > 0 && Number.isFinite(value) ? value : 0;
    const bounds = this.#bounds;
    let index = 0;
    // Most values are small, and there are few buckets.
    while (index < bounds.length && counted > (bounds[index] ?? Infinity)) index += 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += counted;
  }

  /** In the order of the text format: cumulative buckets, sum, count. */
  shown(name: string, label: string, labelValue: string): ShownValue[] {
    let total = 0;
    const buckets = Array.from(this.#counts, (count, index) => {
      total += count;
      const le = this.#bounds[index] ?? '+Inf';
      return { labels: { le, [label]: labelValue }, value: total, metricName: `${name}_bucket` };
    });
    const labels = { [label]: labelValue };
    return [
      ...buckets,
      { labels, value: this.#sum, metricName: `${name}_sum` },
      { labels, value: total, metricName: `${name}_count` },
    ];
  }
}

/** @throws Error when the row has not exactly one label. */
export function createOneLabelHistogram(
  registry: Registry,
  row: MetricRow & { readonly buckets: readonly number[] },
): OneLabelHistogram {
  const { name, help, labels, buckets } = row;
  const [label, another] = labels;
  if (label === undefined || another !== undefined) throw new Error(`${name} has not one label`);
  const series = new Map<string, Series>();
  const metric = {
    name,
    help,
    get: async () => {
      const values = [...series].flatMap(([labelValue, one]) => one.shown(name, label, labelValue));
      return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
    },
    reset: () => {
      series.clear();
    },
  };
  // All that a registry asks of a metric.
  registry.registerMetric(metric as unknown as Histogram);
  return {
    of(labelValue) {
      const known = series.get(labelValue);
      if (known !== undefined) return known;
      const fresh = new Series(buckets);
      series.set(labelValue, fresh);
      return fresh;
    },
    remove(labelValue) {
      series.delete(labelValue);
    },
  };
}
