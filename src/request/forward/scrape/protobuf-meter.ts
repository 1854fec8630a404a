/**
 * Counts the series of delimited MetricFamily messages (io.prometheus.client, metrics.proto) by walking over them: the
 * ends of six nested messages are all the memory, whatever lengths the bytes claim. Never decodes a name or a label.
 */
import type { Meter } from './meter.ts';

/** What the walk goes into, from the outside to the inside; every other field is skipped. */
const STREAM = 0;
const FAMILY = 1;
const METRIC = 2;
const SUMMARY = 3;
const HISTOGRAM = 4;
const BUCKET = 5;
const DEEPEST = 5;

/** What the next byte is. */
const LENGTH = 0;
const TAG = 1;
const NUMBER = 2;
const BOUND = 3;

/** https://protobuf.dev/programming-guides/encoding: groups (3 and 4) are not used. */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Fields of a metric, with their wire type, that are walked into. */
const SUMMARY_TAG = (4 << 3) | LENGTH_DELIMITED;
const HISTOGRAM_TAG = (7 << 3) | LENGTH_DELIMITED;
const QUANTILE = 3;
const UPPER_BOUND = 2;
/** schema, zero_threshold, zero_count, zero_count_float, negative_span, positive_span: a native histogram has one of them. */
const OF_NATIVE_HISTOGRAMS: ReadonlySet<number> = new Set([5, 6, 7, 8, 9, 12]);

const LARGEST_VARINT_SCALE = 128 ** 9;
const LARGEST_TAG = 0xffff_ffff;
/** +Inf as a little-endian double. */
const INFINITE = [0, 0, 0, 0, 0, 0, 0xf0, 0x7f] as const;

export class ProtobufMeter implements Meter {
  #bytes = 0;
  #series = 0;
  /** Of the metric that is being walked. */
  #lines = 0;
  #malformed = false;

  #depth = 0;
  readonly #messages = new Uint8Array(DEEPEST + 1);
  /** Offsets in the body behind the last byte of each message. */
  readonly #ends = new Float64Array(DEEPEST + 1).fill(Number.POSITIVE_INFINITY);
  #message = STREAM;
  #end = Number.POSITIVE_INFINITY;

  #expected = LENGTH;
  #field = 0;
  #varint = 0;
  #varintScale = 1;
  /** Bytes that say nothing. */
  #skip = 0;
  #boundBytes = 0;
  #isInfinite = true;

  #hasBuckets = false;
  #hasInfinity = false;
  #isNative = false;

  get bytes(): number {
    return this.#bytes;
  }

  get series(): number | null {
    return this.#malformed ? null : this.#series + this.#lines;
  }

  get samples(): number | null {
    return this.series;
  }

  add(chunk: Uint8Array): void {
    const base = this.#bytes;
    const { length } = chunk;
    this.#bytes += length;
    let at = 0;
    while (at < length && !this.#malformed) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, length - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#message === METRIC && this.#expected === TAG && this.#varintScale === 1) {
        const past = pastShortField(chunk, at, Math.min(length, this.#end - base));
        if (past === at) this.#take(chunk[at++] ?? 0, base + at);
        else at = past;
      } else {
        this.#take(chunk[at++] ?? 0, base + at);
      }
      if (this.#skip === 0 && base + at >= this.#end) this.#closeUntil(base + at);
    }
  }

  end(): void {
    if (this.#depth > 0 || this.#varintScale > 1 || this.#skip > 0) this.#malformed = true;
  }

  /** @param next the offset of the next byte. */
  #take(byte: number, next: number): void {
    if (this.#expected === BOUND) {
      this.#takeBound(byte);
      return;
    }
    // A shift would wrap at 32 bits.
    this.#varint += (byte & 0x7f) * this.#varintScale;
    if (byte >= 0x80) {
      this.#malformed = this.#varintScale >= LARGEST_VARINT_SCALE;
      this.#varintScale *= 128;
      return;
    }
    const value = this.#varint;
    this.#varint = 0;
    this.#varintScale = 1;
    if (this.#expected === TAG) this.#takeTag(value);
    else if (this.#expected === LENGTH) this.#takeLength(value, next);
    else this.#expected = TAG;
  }

  #takeBound(byte: number): void {
    this.#isInfinite &&= byte === INFINITE[this.#boundBytes];
    this.#boundBytes += 1;
    if (this.#boundBytes < INFINITE.length) return;
    this.#hasInfinity ||= this.#isInfinite;
    this.#expected = TAG;
  }

  #takeTag(tag: number): void {
    const field = Math.floor(tag / 8);
    this.#field = field;
    if (field === 0 || tag > LARGEST_TAG) {
      this.#malformed = true;
      return;
    }
    const message = this.#message;
    if (message === SUMMARY && field === QUANTILE) this.#lines += 1;
    if (message === HISTOGRAM && OF_NATIVE_HISTOGRAMS.has(field)) this.#isNative = true;
    switch (tag % 8) {
      case VARINT:
        this.#expected = NUMBER;
        break;
      case LENGTH_DELIMITED:
        this.#expected = LENGTH;
        break;
      case FIXED64:
        if (message === BUCKET && field === UPPER_BOUND) {
          this.#expected = BOUND;
          this.#boundBytes = 0;
          this.#isInfinite = true;
        } else {
          this.#skip = 8;
        }
        break;
      case FIXED32:
        this.#skip = 4;
        break;
      default:
        this.#malformed = true;
    }
  }

  #takeLength(length: number, next: number): void {
    const end = next + length;
    if (end > this.#end || end > Number.MAX_SAFE_INTEGER) {
      this.#malformed = true;
      return;
    }
    this.#expected = TAG;
    const inner = innerMessage(this.#message, this.#field);
    if (inner === null) {
      this.#skip = length;
      return;
    }
    this.#messages[this.#depth] = this.#message;
    this.#ends[this.#depth] = this.#end;
    this.#depth += 1;
    this.#message = inner;
    this.#end = end;
    if (inner !== HISTOGRAM) return;
    this.#hasBuckets = false;
    this.#hasInfinity = false;
    this.#isNative = false;
  }

  /** Closes the messages that end at this offset. */
  #closeUntil(offset: number): void {
    while (offset >= this.#end) {
      // A field that goes beyond the end of its message.
      if (offset > this.#end || this.#varintScale > 1 || this.#expected !== TAG) {
        this.#malformed = true;
        return;
      }
      this.#close(this.#message);
      this.#depth -= 1;
      this.#message = this.#messages[this.#depth] ?? STREAM;
      this.#end = this.#ends[this.#depth] ?? Number.POSITIVE_INFINITY;
      if (this.#message === STREAM) this.#expected = LENGTH;
    }
  }

  /** The text format writes a line for each quantile and bucket, for the sum and the count, and for +Inf in any case. */
  #close(message: number): void {
    switch (message) {
      case METRIC:
        this.#series += Math.max(this.#lines, 1);
        this.#lines = 0;
        break;
      case SUMMARY:
        this.#lines += 2;
        break;
      case BUCKET:
        this.#hasBuckets = true;
        this.#lines += 1;
        break;
      case HISTOGRAM:
        if (this.#isNative) this.#lines += 1;
        if (!this.#isNative || this.#hasBuckets) this.#lines += this.#hasInfinity ? 2 : 3;
        break;
    }
  }
}

/** The message that a field holds, if it is one to walk into. */
function innerMessage(message: number, field: number): number | null {
  switch (message) {
    case STREAM:
      return FAMILY;
    case FAMILY:
      return field === 4 ? METRIC : null;
    case METRIC:
      return field === 4 ? SUMMARY : field === 7 ? HISTOGRAM : null;
    case HISTOGRAM:
      return field === 3 ? BUCKET : null;
    default:
      return null;
  }
}

/**
 * The way past the labels and the value of a metric, nearly all of an answer: a short field that lies whole before the
 * limit. @returns the index behind it; `at` itself when it is none of these.
 */
function pastShortField(chunk: Uint8Array, at: number, limit: number): number {
  const tag = chunk[at] ?? 0;
  const length = chunk[at + 1] ?? 0xff;
  if (tag < 8 || tag >= 0x80 || length >= 0x80 || (tag & 7) !== LENGTH_DELIMITED) return at;
  if (tag === SUMMARY_TAG || tag === HISTOGRAM_TAG) return at;
  const past = at + 2 + length;
  return past <= limit ? past : at;
}
