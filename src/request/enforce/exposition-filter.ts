/**
 * An exporter's page, line by line: samples that may be seen, and the HELP, TYPE and UNIT of what survives. A line that
 * cannot be read ends the page with an error; no line is passed on unread.
 */
import { isUtf8 } from 'node:buffer';
import type { Answer, AnswerHeaders } from '../answer.ts';
import type { AnswerFilter } from '../question.ts';
import { parseExpositionLine } from './exposition-line.ts';
import { FilteredAnswer, isTold } from './filtered-answer.ts';
import type { ReadyRestriction } from './restriction.ts';

const OPENMETRICS = 'application/openmetrics-text';
const TEXT = 'text/plain';
/** Bytes. A sample with dozens of long labels and an exemplar is a fraction of it. */
export const LONGEST_LINE = 65_536;
/** What is kept of the metadata of one metric until a sample of it comes: HELP, TYPE and UNIT. */
const MOST_METADATA_LINES = 3;

/** @param accept - what the client can read: OpenMetrics is asked for only where the client wants it. */
export function expositionFilter(
  restriction: Pick<ReadyRestriction, 'allows'>,
  accept: string | undefined,
): AnswerFilter {
  const wantsOpenMetrics = accept?.toLowerCase().includes(OPENMETRICS) === true;
  const text = `${TEXT};version=0.0.4`;
  return {
    accept: wantsOpenMetrics ? `${OPENMETRICS};version=1.0.0,${text};q=0.5` : text,
    over: (answer) => new FilteredPage(answer, restriction),
  };
}

class FilteredPage extends FilteredAnswer {
  readonly #allows: ReadyRestriction['allows'];
  #headers: AnswerHeaders = {};
  #isOpenMetrics = false;
  /** The beginning of a line whose end has not come. */
  #rest: Buffer = EMPTY;
  #metadata: { readonly name: string; readonly lines: string[] } | null = null;
  #sawEof = false;

  constructor(answer: Answer, { allows }: Pick<ReadyRestriction, 'allows'>) {
    super(answer);
    this.#allows = allows;
  }

  protected begin(status: number, type: string, contentType: string | string[] | undefined): void {
    if (isTold(status)) {
      this.send(status, 'text/plain; charset=utf-8', Buffer.from(`the upstream answered ${String(status)}\n`));
    } else if (status !== 200) {
      this.unreadable(`the upstream answered ${String(status)}`);
    } else if (type !== TEXT && type !== OPENMETRICS) {
      this.unreadable('the upstream answered with something else than an exposition in text');
    } else {
      this.#isOpenMetrics = type === OPENMETRICS;
      this.#headers = { 'content-type': String(contentType), 'cache-control': 'no-store' };
    }
  }

  protected take(chunk: Uint8Array): boolean {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end === 0) {
      this.#keep(bytes);
      return !this.closed;
    }
    const lines = Buffer.concat([this.#rest, bytes.subarray(0, end)]);
    this.#rest = EMPTY;
    this.#keep(bytes.subarray(end));
    return this.closed ? false : this.#pass(lines);
  }

  protected finish(): void {
    // Prometheus's own parser wants a line feed at the end; a page without one may have been cut.
    if (this.#rest.length > 0) {
      this.unreadable('the page ends within a line');
    } else if (this.#isOpenMetrics && !this.#sawEof) {
      this.unreadable('the page ends without # EOF');
    } else {
      this.#openNow();
      this.answer.end();
    }
  }

  #keep(bytes: Buffer): void {
    if (this.#rest.length + bytes.length > LONGEST_LINE) {
      this.unreadable(`a line of more than ${String(LONGEST_LINE)} bytes`);
    } else {
      // Copied: the chunk's memory belongs to whoever wrote it.
      this.#rest = Buffer.concat([this.#rest, bytes]);
    }
  }

  /** @param lines - whole ones. */
  #pass(lines: Buffer): boolean {
    if (!isUtf8(lines)) {
      this.unreadable('the page is not UTF-8');
      return false;
    }
    const kept: string[] = [];
    for (const line of lines.toString('utf8').slice(0, -1).split('\n')) {
      if (!this.#judge(line, kept)) {
        // What stands before the line is not lost: the client sees a cut, not a short page.
        this.unreadable('a line that cannot be read');
        return false;
      }
    }
    if (kept.length === 0) return true;
    this.#openNow();
    return this.answer.write(Buffer.from(`${kept.join('\n')}\n`));
  }

  /** @returns false for a line that cannot be read. */
  #judge(line: string, kept: string[]): boolean {
    const read = line.length > LONGEST_LINE || this.#sawEof ? null : parseExpositionLine(line);
    if (read === null) return false;
    if (read.kind === 'metadata') {
      if (this.#metadata?.name !== read.name) this.#metadata = { name: read.name, lines: [] };
      if (this.#metadata.lines.length < MOST_METADATA_LINES) this.#metadata.lines.push(line);
    } else if (read.kind === 'sample') {
      const { name, labels } = read;
      if (this.#allows((label) => (label === '__name__' ? name : labels.get(label)))) {
        kept.push(...this.#metadataOf(name), line);
      }
    } else if (read.kind === 'eof' && this.#isOpenMetrics) {
      this.#sawEof = true;
      kept.push(line);
    }
    return true;
  }

  /** The metadata that stands before the first surviving sample of a metric. */
  #metadataOf(sample: string): readonly string[] {
    if (this.#metadata === null || !belongsTo(sample, this.#metadata.name)) return [];
    // Kept by name, without lines: what is said of the metric once more is not said twice.
    return this.#metadata.lines.splice(0);
  }

  #openNow(): void {
    if (!this.answer.opened) this.answer.open(200, this.#headers);
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
