/**
 * The lines of an exposition page in turn, each with what it is. Pure. A label value may go on over several lines, as
 * Prometheus's parser for text reads it; where that comes to nothing each line is read by itself.
 */
import { closesString, parseExpositionLine } from './exposition-line.ts';
import type { ExpositionLine, KnownLabels } from './exposition-line.ts';

/** UTF-16 units. A sample with dozens of long labels and an exemplar is a fraction of it. */
export const LONGEST_LINE = 65_536;
/** How many values of one sample may go on over line ends: the sample is read once more for each. */
const MOST_CONTINUED = 8;

export interface PageLine {
  readonly text: string;
  /** Counts from 1. */
  readonly number: number;
  /** It was no UTF-8: what could not be read is U+FFFD. */
  readonly isBroken: boolean;
}

export interface ReadLine extends PageLine {
  readonly read: Exclude<ExpositionLine, { readonly kind: 'unfinished' }>;
}

/** Why the page can be read no further. */
export interface PageFault {
  readonly number: number;
  readonly why: string;
}

interface OpenLine {
  readonly first: PageLine;
  readonly known: KnownLabels;
  readonly later: PageLine[];
  text: string;
  isBroken: boolean;
  continued: number;
}

export class ExpositionReader {
  #open: OpenLine | null = null;
  readonly #judge: (line: ReadLine) => PageFault | null;

  /** @param judge - called for each line, or for the several that make up one sample; a fault ends the reading. */
  constructor(judge: (line: ReadLine) => PageFault | null) {
    this.#judge = judge;
  }

  /** Takes the next line. */
  take(line: PageLine): PageFault | null {
    return this.#takeAll([line]);
  }

  /** The page is over: what is still open is not going to be closed. */
  finish(): PageFault | null {
    while (this.#open !== null) {
      const fault = this.#giveUp(this.#open);
      if (fault !== null) return fault;
    }
    return null;
  }

  #takeAll(lines: readonly PageLine[]): PageFault | null {
    for (const line of lines) {
      const fault = this.#open === null ? this.#begin(line) : this.#goOn(this.#open, line);
      if (fault !== null) return fault;
    }
    return null;
  }

  #begin(line: PageLine): PageFault | null {
    if (line.text.length > LONGEST_LINE) return tooLong(line);
    const read = parseExpositionLine(line.text);
    if (read.kind !== 'unfinished') return this.#tell(line, read);
    const { text, isBroken } = line;
    this.#open = { first: line, known: read.known, later: [], text, isBroken, continued: 0 };
    return null;
  }

  #goOn(open: OpenLine, line: PageLine): PageFault | null {
    open.later.push(line);
    open.text += `\n${line.text}`;
    open.isBroken ||= line.isBroken;
    if (open.text.length > LONGEST_LINE) return tooLong(open.first);
    if (!closesString(line.text)) return null;
    const read = parseExpositionLine(open.text);
    if (read.kind === 'unfinished') {
      open.continued += 1;
      return open.continued === MOST_CONTINUED ? { number: open.first.number, why: 'too many line feeds' } : null;
    }
    if (read.kind === 'unreadable') return this.#giveUp(open);
    this.#open = null;
    return this.#tell({ ...open.first, text: open.text, isBroken: open.isBroken }, read);
  }

  /** No parser reads the page beyond the first of these lines: the others count as if it had ended. */
  #giveUp({ first, known, later }: OpenLine): PageFault | null {
    this.#open = null;
    const fault = this.#judge({ ...first, read: { kind: 'unreadable', why: 'a string that does not end', known } });
    return fault ?? this.#takeAll(later);
  }

  #tell(line: PageLine, read: ReadLine['read']): PageFault | null {
    return this.#judge({ ...line, read: line.isBroken ? readBroken(read) : read });
  }
}

/** What is no UTF-8 may be a comment; Prometheus refuses every other such line. */
function readBroken(read: ReadLine['read']): ReadLine['read'] {
  if (read.kind === 'metadata') return { kind: 'blank' };
  if (read.kind !== 'sample') return read;
  const known = new Map([...read.labels, ['__name__', read.name] as const].map(([label, value]) => [label, [value]]));
  return { kind: 'unreadable', why: 'a text that is no UTF-8', known };
}

function tooLong({ number }: PageLine): PageFault {
  return { number, why: `more than ${String(LONGEST_LINE)} characters` };
}
