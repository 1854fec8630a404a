/** Delimited MetricFamily messages, written by hand: as a client library would, and as none would. */

export interface WrittenHistogram {
  /** Upper bounds. */
  readonly buckets: readonly number[];
  readonly native: boolean;
}

export type WrittenMetric = 'gauge' | { readonly quantiles: number } | WrittenHistogram;

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** A length-delimited field. */
export function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

export function number(fieldNumber: number, value: number): Buffer {
  return Buffer.concat([varint(fieldNumber * 8), varint(value)]);
}

export function double(fieldNumber: number, value: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeDoubleLE(value);
  return Buffer.concat([varint(fieldNumber * 8 + 1), content]);
}

function label(name: string, value: string): Buffer {
  return field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(value))]));
}

function valueOf(metric: WrittenMetric): Buffer {
  if (metric === 'gauge') return field(2, double(1, 42));
  if ('quantiles' in metric) {
    const quantiles = Array.from({ length: metric.quantiles }, () =>
      field(3, Buffer.concat([double(1, 0.5), double(2, 1)])),
    );
    return field(4, Buffer.concat([number(1, 300), double(2, 1), ...quantiles]));
  }
  const buckets = metric.buckets.map((bound) => field(3, Buffer.concat([number(1, 300), double(2, bound)])));
  const native = metric.native ? [number(5, 3), double(6, 0.001), field(12, number(1, 0))] : [];
  return field(7, Buffer.concat([number(1, 300), double(2, 1.5), ...buckets, ...native]));
}

/** One family with these metrics, and its length before it. */
export function family(metrics: readonly WrittenMetric[], labelValue = 'a'): Buffer {
  const written = metrics.map((metric) =>
    field(4, Buffer.concat([label('l', labelValue), valueOf(metric), number(6, 1e12)])),
  );
  const content = Buffer.concat([
    field(1, Buffer.from('a_name')),
    field(2, Buffer.from('help')),
    number(3, 1),
    ...written,
  ]);
  return delimited(content);
}

/** A message with its length before it, as `encoding=delimited` wants. */
export function delimited(message: Buffer): Buffer {
  return Buffer.concat([varint(message.length), message]);
}

/** How many lines the text format needs for it; one for a native histogram. */
export function linesOf(metric: WrittenMetric): number {
  if (metric === 'gauge') return 1;
  if ('quantiles' in metric) return metric.quantiles + 2;
  const { buckets, native } = metric;
  const classic = native && buckets.length === 0 ? 0 : buckets.length + (buckets.includes(Infinity) ? 2 : 3);
  return classic + (native ? 1 : 0);
}
