import fc from '../support/property.ts';
import { describe, expect, it } from 'vitest';
import { createLineCounter } from '../../src/request/forward/scrape/line-counter.ts';
import { createMeter } from '../../src/request/forward/scrape/meter.ts';
import { delimited, family, field, linesOf, number, varint } from '../request/forward/scrape/protobuf-page.ts';
import type { WrittenMetric } from '../request/forward/scrape/protobuf-page.ts';

const TEXT = 'text/plain; version=0.0.4';
const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

/** Meters it in pieces of these lengths, over and over. */
function countIn(contentType: string, body: Buffer, lengths: readonly number[]) {
  const meter = createMeter(contentType, undefined, createLineCounter());
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const length = lengths[turn % lengths.length] ?? body.length;
    meter.add(body.subarray(at, at + length));
    at += length;
  }
  meter.end();
  return { bytes: meter.bytes, series: meter.series, samples: meter.samples };
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });
const line = fc.oneof(
  fc.constantFrom('# HELP a b', '#', '', ' ', '\t#x', 'a 1', ' a{b="#\\n"} 1', 'a 1 # {x="y"} 2', '\r', '{"ä.b"} 2'),
  fc.string({ maxLength: 12 }),
);
const page = fc.array(line, { maxLength: 40 }).map((lines) => lines.join('\n'));
const metric: fc.Arbitrary<WrittenMetric> = fc.oneof(
  fc.constant('gauge' as const),
  fc.record({ quantiles: fc.nat({ max: 5 }) }),
  fc.record({ buckets: fc.array(fc.constantFrom(0.1, 1, 300, Infinity, NaN), { maxLength: 5 }), native: fc.boolean() }),
);
const families = fc.array(fc.tuple(fc.array(metric, { maxLength: 6 }), fc.integer({ min: 0, max: 300 })), {
  maxLength: 6,
});

describe('meter', () => {
  it('counts text like a look at each line does, however it is cut', () => {
    fc.assert(
      fc.property(page, lengths, (text, cuts) => {
        const expected = text.split('\n').filter((one) => /^[ \t\r]*[^# \t\r]/.test(one)).length;
        expect(countIn(TEXT, Buffer.from(text), cuts).series).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('counts protobuf like its text would be, however it is cut', () => {
    fc.assert(
      fc.property(families, lengths, (written, cuts) => {
        const body = Buffer.concat(written.map(([metrics, width]) => family(metrics, 'x'.repeat(width))));
        const expected = written.flatMap(([metrics]) => metrics).reduce((sum, one) => sum + linesOf(one), 0);
        expect(countIn(PROTOBUF, body, cuts)).toEqual({ bytes: body.length, series: expected, samples: expected });
      }),
      { numRuns: 1000 },
    );
  });

  // Seeds and paths below belong to these arbitraries.
  const mutations = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
  const ofMutated = fc.property(families, mutations, lengths, (written, changes, cuts) => {
    const body = Buffer.concat(written.map(([metrics]) => family(metrics)));
    for (const [at, byte] of changes) if (body.length > 0) body[at % body.length] = byte;
    expect(countIn(PROTOBUF, body, cuts)).toEqual(countIn(PROTOBUF, body, [body.length]));
  });

  it('says the same of mutated bytes whatever the chunks, and never throws', () => {
    fc.assert(ofMutated, { numRuns: 2000 });
  });

  it('says the same of a tag whose second byte, read alone, begins a field', () => {
    const path = '790:4:6:20:23:24:29:35:35:41:42:44:47:50:51:52:86:82:82:83';
    fc.assert(ofMutated, { seed: 1566200810, path, endOnFailure: true });
  });

  it('says the same of messages with fields of any number and type, cut short or lengthened, whatever the chunks', () => {
    const raw = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes));
    const unknown = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 0x1fff_ffff }), raw).map(([of, content]) => field(of, content)),
      fc.tuple(fc.integer({ min: 1, max: 0x1fff_ffff }), fc.maxSafeNat()).map(([of, value]) => number(of, value)),
      // A tag of any type in more bytes than it needs.
      fc.tuple(fc.nat({ max: 0xff }), fc.integer({ min: 1, max: 9 })).map(([tag, more]) => {
        const padding = Array.from({ length: more }, (_unused, index) => (index === more - 1 ? 0 : 0x80));
        return Buffer.from([tag | 0x80, ...padding]);
      }),
      raw,
    );
    const content = fc.array(unknown, { maxLength: 8 }).map((fields) => Buffer.concat(fields));
    const wrapped = fc.tuple(content, fc.constantFrom(0, 0, 0, 1, -1)).map(([inner, off]) => {
      const claimed = Math.max(0, inner.length + off);
      return delimited(Buffer.concat([varint((4 << 3) | 2), varint(claimed), inner]));
    });
    fc.assert(
      fc.property(fc.array(wrapped, { maxLength: 4 }), lengths, (bodies, cuts) => {
        const body = Buffer.concat(bodies);
        const whole = countIn(PROTOBUF, body, [body.length]);
        expect(countIn(PROTOBUF, body, cuts)).toEqual(whole);
        expect(countIn(PROTOBUF, body, [1])).toEqual(whole);
      }),
      { numRuns: 2000 },
    );
  });
});
