/**
 * An exporter's page, line by line: samples that may be seen, and the HELP, TYPE and UNIT of what survives. A line that
 * cannot be read is left out where what can be read of it says that it is not for this identity; else it ends the page.
 */
import { isUtf8 } from 'node:buffer';
import type { Answer, AnswerHeaders } from '../answer.ts';
import type { AnswerFilter } from '../question.ts';
import { expositionAccept, readContentType } from './exposition-formats.ts';
import { ExpositionReader, LONGEST_LINE } from './exposition-reader.ts';
import type { PageFault, ReadLine } from './exposition-reader.ts';
import { FilteredAnswer, isTold } from './filtered-answer.ts';
import type { ReadyRestriction } from './restriction.ts';

/** What is kept of the metadata of one metric until a sample of it comes: HELP, TYPE and UNIT. */
const MOST_METADATA_LINES = 3;
const LINE_FEED = 0x0a;

type Sees = Pick<ReadyRestriction, 'allows' | 'excludes'>;

/** @param accept - what the client can read. */
export function expositionFilter(restriction: Sees, accept: string | undefined): AnswerFilter {
  return { accept: expositionAccept(accept), over: (answer) => new FilteredPage(answer, restriction) };
}

class FilteredPage extends FilteredAnswer {
  readonly #sees: Sees;
  readonly #reader = new ExpositionReader((line) => this.#judge(line));
  #headers: AnswerHeaders = {};
  #isOpenMetrics = false;
  /** The beginning of a line whose end has not come. */
  readonly #rest = new GrowingBuffer();
  #lines = 0;
  #kept: string[] = [];
  #metadata: { readonly name: string; readonly lines: string[] } | null = null;
  #sawEof = false;
  /** The last line has no line feed: it may have been cut. */
  #endsWithin = false;

  constructor(answer: Answer, restriction: Sees) {
    super(answer);
    this.#sees = restriction;
  }

  protected begin(status: number, _type: string, contentType: string | string[] | undefined): void {
    if (isTold(status)) {
      this.send(status, 'text/plain; charset=utf-8', Buffer.from(`the upstream answered ${String(status)}\n`));
      return;
    }
    if (status !== 200) {
      this.unreadable(`the upstream answered ${String(status)}`);
      return;
    }
    const format = readContentType(Array.isArray(contentType) ? contentType[0] : contentType);
    if (format === null) {
      this.unreadable('the upstream answered with something else than an exposition in text');
    } else {
      this.#isOpenMetrics = format.isOpenMetrics;
      this.#headers = { 'content-type': format.told, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
    }
  }

  protected take(chunk: Uint8Array): boolean {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      this.#keep(bytes);
      return !this.closed;
    }
    const first = bytes.indexOf(LINE_FEED) + 1;
    this.#rest.add(bytes.subarray(0, first));
    const going = this.#pass(this.#rest.take()) && (end === first || this.#pass(bytes.subarray(first, end)));
    if (going) this.#keep(bytes.subarray(end));
    return going && !this.closed && this.#flush();
  }

  /** Both of Prometheus's parsers for text, and `# EOF` of OpenMetrics, do without the last line feed. */
  protected finish(): void {
    if (this.#rest.length > 0) {
      this.#endsWithin = true;
      this.#rest.add(Buffer.of(LINE_FEED));
      if (!this.#pass(this.#rest.take())) return;
    }
    const fault = this.#reader.finish();
    if (fault !== null) {
      this.#end(fault);
    } else if (this.#isOpenMetrics && !this.#sawEof) {
      this.unreadable('the page ends without # EOF');
    } else {
      this.#flush();
      this.#openNow();
      this.answer.end();
    }
  }

  #keep(bytes: Buffer): void {
    if (this.#rest.length + bytes.length > LONGEST_LINE) {
      this.#end({ number: this.#lines + 1, why: `more than ${String(LONGEST_LINE)} bytes` });
    } else {
      // Copied: the chunk's memory belongs to whoever wrote it.
      this.#rest.add(bytes);
    }
  }

  /** @param lines - whole ones. */
  #pass(lines: Buffer): boolean {
    const isWhole = isUtf8(lines);
    for (let at = 0; at < lines.length;) {
      const end = lines.indexOf(LINE_FEED, at);
      const line = lines.subarray(at, end);
      at = end + 1;
      const isBroken = !isWhole && !isUtf8(line);
      const fault = this.#reader.take({ text: line.toString('utf8'), number: (this.#lines += 1), isBroken });
      if (fault !== null) {
        this.#end(fault);
        return false;
      }
    }
    return true;
  }

  #judge({ read, text, number }: ReadLine): PageFault | null {
    if (this.#sawEof) return { number, why: 'something behind # EOF' };
    if (read.kind === 'metadata') {
      if (this.#metadata?.name !== read.name) this.#metadata = { name: read.name, lines: [] };
      if (this.#metadata.lines.length < MOST_METADATA_LINES) this.#metadata.lines.push(text);
    } else if (read.kind === 'sample') {
      const { name, labels } = read;
      if (this.#sees.allows((label) => (label === '__name__' ? name : labels.get(label)))) {
        this.#kept.push(...this.#metadataOf(name), text);
      }
    } else if (read.kind === 'eof' && this.#isOpenMetrics) {
      this.#sawEof = true;
      this.#kept.push(text);
    } else if (read.kind === 'unreadable') {
      const mayBeCut = this.#endsWithin && number === this.#lines;
      if (mayBeCut || !this.#sees.excludes((label) => read.known.get(label))) return { number, why: read.why };
    }
    return null;
  }

  /** The metadata that stands before the first surviving sample of a metric. */
  #metadataOf(sample: string): readonly string[] {
    if (this.#metadata === null || !belongsTo(sample, this.#metadata.name)) return [];
    // Kept by name, without lines: what is said of the metric once more is not said twice.
    return this.#metadata.lines.splice(0);
  }

  /** What stands before the line is not lost: the client sees a cut, not a short page. */
  #end({ number, why }: PageFault): void {
    this.#kept = [];
    this.unreadable(`line ${String(number)} cannot be read: ${why}`);
  }

  #flush(): boolean {
    if (this.#kept.length === 0) return true;
    this.#openNow();
    const lines = this.#kept;
    this.#kept = [];
    return this.answer.write(Buffer.from(`${lines.join('\n')}\n`));
  }

  #openNow(): void {
    if (!this.answer.opened) this.answer.open(200, this.#headers);
  }
}

/** Bytes put together in time that grows with their number, however small the pieces. */
class GrowingBuffer {
  #bytes = EMPTY;
  length = 0;

  add(more: Buffer): void {
    const length = this.length + more.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * length);
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    more.copy(this.#bytes, this.length);
    this.length = length;
  }

  /** Valid until the next `add`. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length);
    this.length = 0;
    return taken;
  }
}

const EMPTY = Buffer.alloc(0);
/** Of histograms, summaries, counters and infos, in both formats. */
const SUFFIXES: ReadonlySet<string> = new Set([
  '',
  '_bucket',
  '_sum',
  '_count',
  '_total',
  '_created',
  '_info',
  '_gsum',
  '_gcount',
]);

function belongsTo(sample: string, metric: string): boolean {
  return sample.startsWith(metric) && SUFFIXES.has(sample.slice(metric.length));
}
