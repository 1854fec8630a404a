import { describe, expect, it } from 'vitest';
import { createLineCounter } from '../../../../src/request/forward/scrape/line-counter.ts';
import { createMeter } from '../../../../src/request/forward/scrape/meter.ts';
import type { Meter } from '../../../../src/request/forward/scrape/meter.ts';
import { family, field, number, varint } from './protobuf-page.ts';

const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

function measured(contentType: string | undefined, contentEncoding: string | undefined, body: string | Buffer): Meter {
  const meter = createMeter(contentType, contentEncoding, createLineCounter());
  meter.add(Buffer.from(body));
  meter.end();
  return meter;
}

const series = (body: string | Buffer, contentType = 'text/plain; version=0.0.4; charset=utf-8'): number | null =>
  measured(contentType, undefined, body).series;

describe('the text meter', () => {
  it.each([
    ['an empty page', '', 0],
    ['comments only', '# HELP a b\n# TYPE a counter\n#\n  # indented\n', 0],
    ['blank lines', '\n\n \t\n\r\n', 0],
    ['two samples', 'a 1\nb{c="d"} 2 1700000000000\n', 2],
    ['a last line without a newline', 'a 1\nb 2', 2],
    ['a hash within a label value', 'a{b="#"} 1\n', 1],
    ['a sample behind blanks', ' \ta 1\n', 1],
    ['an exemplar', 'a_bucket{le="1"} 1 # {trace_id="x"} 0.5\n# EOF\n', 1],
    ['a name in quotes', '{"a.b",c="d"} 1\n', 1],
  ])('counts %s', (_what, body, expected) => {
    expect(series(body)).toBe(expected);
    expect(series(body, 'application/openmetrics-text; version=1.0.0; charset=utf-8')).toBe(expected);
  });

  it('counts bytes, and series and samples alike', () => {
    const meter = measured('text/plain', undefined, 'ä 1\nb 2\n');
    expect(meter).toMatchObject({ bytes: 9, series: 2, samples: 2 });
  });

  it('counts a chunk that is not a Buffer', () => {
    const meter = createMeter('text/plain', undefined, createLineCounter());
    const page = new TextEncoder().encode('xx a 1\nb 2\n');
    meter.add(page.subarray(3));
    expect(meter).toMatchObject({ bytes: 8, series: 2 });
  });

  it('knows the count while the page is coming', () => {
    const meter = createMeter('text/plain', undefined, createLineCounter());
    const counts = ['a', ' 1', '\n', '#', ' b\n', 'c 2\n'].map((chunk) => {
      meter.add(Buffer.from(chunk));
      return meter.series;
    });
    expect(counts).toEqual([1, 1, 1, 1, 1, 2]);
  });
});

describe('the choice of a meter', () => {
  it.each([
    ['text/plain', undefined, 1],
    ['Text/Plain;version=0.0.4', 'identity', 1],
    ['text/plain; version=1.0.0; escaping=allow-utf-8', ' Identity ', 1],
    ['application/openmetrics-text', '', 1],
    [undefined, undefined, 1],
    ['text/plain', 'gzip', null],
    ['text/plain', 'identity, gzip', null],
    [PROTOBUF, 'gzip', null],
    ['application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text', undefined, null],
    ['application/vnd.google.protobuf', undefined, null],
    ['application/json', undefined, null],
    ['text/html', undefined, null],
    ['text/plain, text/html', undefined, null],
    ['', undefined, null],
  ])('counts the series of %s with the encoding %s: %s', (contentType, contentEncoding, expected) => {
    expect(measured(contentType, contentEncoding, 'a 1\n')).toMatchObject({
      bytes: 4,
      series: expected,
      samples: expected,
    });
  });
});

describe('the protobuf meter', () => {
  const of = (body: Buffer): number | null => series(body, PROTOBUF);

  it.each([
    ['nothing', Buffer.alloc(0), 0],
    ['a family without metrics', family([]), 0],
    ['an empty family', varint(0), 0],
    ['an empty metric', Buffer.concat([varint(2), field(4, Buffer.alloc(0))]), 1],
    ['gauges', family(['gauge', 'gauge']), 2],
    ['a summary', family([{ quantiles: 3 }]), 5],
    ['a summary without quantiles', family([{ quantiles: 0 }]), 2],
    ['a histogram with its +Inf bucket', family([{ buckets: [1, 2, Infinity], native: false }]), 5],
    ['a histogram without its +Inf bucket', family([{ buckets: [1, 2], native: false }]), 5],
    ['a native histogram', family([{ buckets: [], native: true }]), 1],
    ['a histogram of both kinds', family([{ buckets: [1, Infinity], native: true }]), 5],
    ['two families', Buffer.concat([family(['gauge']), family([{ quantiles: 1 }, 'gauge'])]), 5],
  ])('counts %s', (_what, body, expected) => {
    expect(of(body)).toBe(expected);
  });

  it('reads the type of the format in any case and order', () => {
    expect(series(family(['gauge']), 'APPLICATION/VND.GOOGLE.PROTOBUF;Encoding=delimited ; proto=x')).toBe(1);
  });

  it.each([
    ['a length beyond its message', Buffer.concat([varint(3), varint(4 * 8 + 2), varint(100), Buffer.alloc(1)])],
    ['a varint of more than ten bytes', Buffer.alloc(11, 0xff)],
    ['a length beyond what a number can hold', Buffer.concat([Buffer.alloc(9, 0xff), Buffer.from([1])])],
    ['a group', Buffer.concat([varint(2), varint(1 * 8 + 3), varint(0)])],
    ['a field number of zero', Buffer.concat([varint(2), varint(2), varint(0)])],
    ['a tag of more than 32 bits', Buffer.concat([varint(6), varint(2 ** 32 + 8), varint(0)])],
    ['a fixed number beyond its message', Buffer.concat([varint(3), varint(8 + 1), Buffer.alloc(10)])],
    ['an upper bound beyond its bucket', family([{ buckets: [1], native: false }]).subarray(0, -3)],
    ['half of a length', Buffer.from([0x80])],
    ['half of a label', family(['gauge'], 'a'.repeat(100)).subarray(0, 60)],
    ['text', Buffer.from('# HELP a b\na 1\n')],
  ])('counts nothing in %s', (_what, body) => {
    expect(of(body)).toBeNull();
  });

  it('knows of a length beyond its message at once', () => {
    const meter = createMeter(PROTOBUF, undefined, createLineCounter());
    meter.add(Buffer.concat([varint(50), varint(4 * 8 + 2), varint(48)]));
    expect(meter.series).toBe(0);
    meter.add(Buffer.concat([varint(1 * 8 + 2), varint(47)]));
    expect(meter.series).toBeNull();
  });

  it('counts the bytes of what it cannot read', () => {
    expect(measured(PROTOBUF, undefined, Buffer.alloc(50, 0xff))).toMatchObject({ bytes: 50, series: null });
  });

  it('knows at least the count of what has come, within a metric too', () => {
    const page = Buffer.concat([family(['gauge']), family([{ buckets: [1, 2, 3], native: false }])]);
    const meter = createMeter(PROTOBUF, undefined, createLineCounter());
    meter.add(page.subarray(0, -12));
    expect(meter.series).toBeGreaterThanOrEqual(3);
    expect(meter.series).toBeLessThanOrEqual(7);
  });

  it('takes no memory for a claimed length', () => {
    const meter = createMeter(PROTOBUF, undefined, createLineCounter());
    meter.add(varint(2 ** 50));
    meter.add(Buffer.concat([varint(4 * 8 + 2), varint(2 ** 49), number(1, 1)]));
    const before = process.memoryUsage();
    const chunk = Buffer.concat([field(1, Buffer.alloc(65_000))]);
    for (let count = 0; count < 1000; count++) meter.add(chunk);
    const after = process.memoryUsage();
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(32_000_000);
    expect(meter.series).toBe(0);
    meter.end();
    expect(meter.series).toBeNull();
  });
});
