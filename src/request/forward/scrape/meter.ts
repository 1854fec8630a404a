/**
 * Counts what an exposition has in it while it passes. Never copies, never keeps a chunk, and never fails an answer: what
 * it cannot read it does not count.
 */
import type { LineCounter } from './line-counter.ts';
import { ProtobufMeter } from './protobuf-meter.ts';
import { TextMeter } from './text-meter.ts';

export interface Meter {
  /** As they came; before the gate compressed them. */
  readonly bytes: number;
  /**
   * Time series; null: not countable (compressed by the upstream, an unknown format, malformed). A classic histogram
   * counts as the lines that it has in the text format, a native one as one.
   */
  readonly series: number | null;
  /** Samples; null: not countable. */
  readonly samples: number | null;
  add(chunk: Uint8Array): void;
  /** No more comes. */
  end(): void;
}

/**
 * @param contentType the header of the answer; without one scrapers read the text format.
 * @param contentEncoding the header of the answer.
 * @param lines what counts text.
 * @returns a meter for one body.
 */
export function createMeter(
  contentType: string | undefined,
  contentEncoding: string | undefined,
  lines: LineCounter,
): Meter {
  if (!isPlain(contentEncoding)) return new ByteMeter(null);
  const [type, parameters] = halves((contentType ?? 'text/plain').toLowerCase());
  switch (type) {
    case 'text/plain':
    case 'application/openmetrics-text':
      return new TextMeter(lines);
    case 'application/vnd.google.protobuf':
      return parameters.split(';').map(trimmed).includes('encoding=delimited')
        ? new ProtobufMeter()
        : new ByteMeter(null);
    default:
      return new ByteMeter(null);
  }
}

/** For an answer that is no exposition and says so by its status: there are no series in it. */
export function createErrorMeter(): Meter {
  return new ByteMeter(0);
}

/** Whether a body with this Content-Encoding is as the upstream wrote it. */
function isPlain(contentEncoding: string | undefined): boolean {
  if (contentEncoding === undefined) return true;
  const coding = contentEncoding.trim().toLowerCase();
  return coding === '' || coding === 'identity';
}

/** A media type and its parameters. */
function halves(contentType: string): readonly [string, string] {
  const end = contentType.indexOf(';');
  return end === -1 ? [contentType.trim(), ''] : [contentType.slice(0, end).trim(), contentType.slice(end + 1)];
}

function trimmed(text: string): string {
  return text.trim();
}

class ByteMeter implements Meter {
  readonly series: number | null;
  readonly samples: number | null;
  #bytes = 0;

  constructor(series: 0 | null) {
    this.series = series;
    this.samples = series;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
  }

  end(): void {
    // There is nothing to finish.
  }
}
