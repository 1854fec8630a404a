/**
 * One line of an exposition page (text 0.0.4 and 1.0.0, OpenMetrics 1.0): which series it belongs to. Pure. What is read
 * here, each of Prometheus's parsers (model/textparse of 2.42 to 3.x, text and OpenMetrics) reads as the same series, or
 * refuses with the whole page.
 */

export interface SampleLine {
  readonly kind: 'sample';
  /** The metric's name. */
  readonly name: string;
  /** Without the name. */
  readonly labels: ReadonlyMap<string, string>;
}

/** The values of each label as far as it could be read, `__name__` among them; more than one where it came twice. */
export type KnownLabels = ReadonlyMap<string, readonly string[]>;

export type ExpositionLine =
  | SampleLine
  /** HELP, TYPE or UNIT of a metric. */
  | { readonly kind: 'metadata'; readonly name: string }
  /** OpenMetrics: nothing comes after it. */
  | { readonly kind: 'eof' }
  /** A comment, or nothing. */
  | { readonly kind: 'blank' }
  /** It ends within quotes: in the text format a value may have line feeds in it. */
  | { readonly kind: 'unfinished'; readonly known: KnownLabels }
  | { readonly kind: 'unreadable'; readonly why: string; readonly known: KnownLabels };

const BARE_METRIC = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const BARE_LABEL = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const BLANKS = /[ \t]*/y;
/**
 * Up to the first quote without a backslash before it. NUL: Prometheus's lexer does not see it within quotes, so that the
 * letter behind it would be what the backslash escapes.
 */
// eslint-disable-next-line no-control-regex -- exactly this
const QUOTED = /"[^"\\]*(?:\\[^\n\x00][^"\\]*)*("?)/y;
// eslint-disable-next-line no-control-regex -- exactly this
const CLOSING = /^[^"\\]*(?:\\[^\n\x00][^"\\]*)*"/;
const METADATA = /^#[ \t]+(?:HELP|TYPE|UNIT)[ \t]+/;
/**
 * A number as Go's strconv.ParseFloat reads it, without the forms that Prometheus refuses; then a timestamp, an exemplar:
 * all of it belongs to the sample. No control characters.
 */
const REST =
  // eslint-disable-next-line no-control-regex -- exactly these
  /^[ \t]*(?:[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)|nan)(?:[ \t][^\x00-\x08\x0a-\x1f\x7f]*)?$/i;

/** A string that has not ended. */
const OPEN = Symbol('open');

/** Whether a string that was open before this line ends in it. */
export function closesString(line: string): boolean {
  return CLOSING.test(line);
}

/** @param line - without its line feed; with those within quotes. */
export function parseExpositionLine(line: string): ExpositionLine {
  const scanner = new Scanner(line);
  scanner.blanks();
  if (scanner.atEnd) return { kind: 'blank' };
  if (scanner.peek === '#') return parseComment(line.slice(scanner.at));
  return parseSample(scanner);
}

function parseComment(comment: string): ExpositionLine {
  if (comment === '# EOF') return { kind: 'eof' };
  const metadata = METADATA.exec(comment);
  if (metadata === null) return { kind: 'blank' };
  const scanner = new Scanner(comment, metadata[0].length);
  const quoted = scanner.quoted();
  if (quoted === OPEN) return { kind: 'unfinished', known: new Map() };
  const name = quoted ?? scanner.take(BARE_METRIC);
  // What is no metadata is a comment like any other.
  return name === null || !/^[ \t]|^$/.test(scanner.rest) ? { kind: 'blank' } : { kind: 'metadata', name };
}

const NAME = '__name__';

function parseSample(scanner: Scanner): ExpositionLine {
  // Prometheus 3 takes blanks before the name for a part of it; 2.42 refuses such a name.
  const bare = scanner.take(BARE_METRIC);
  const labels = new LabelsRead();
  if (bare !== null) labels.add(NAME, scanner.before(bare) + bare);
  scanner.blanks();
  if (scanner.takes('{')) {
    const fault = parseLabels(scanner, labels);
    if (fault !== null) return labels.unread(fault, scanner);
  }
  if (labels.isTwofold) return labels.unread('a label that comes twice', scanner);
  if (!labels.has(NAME)) return labels.unread('a sample without a name', scanner);
  if (!REST.test(scanner.rest)) return labels.unread('no number where the value should be', scanner);
  return labels.sample();
}

/** What is between the braces. @returns what is wrong with it; null: nothing. */
function parseLabels(scanner: Scanner, labels: LabelsRead): string | null {
  let hasQuotedName = false;
  for (;;) {
    scanner.blanks();
    if (scanner.takes('}')) return null;
    const quoted = scanner.quoted();
    if (quoted === OPEN) return UNFINISHED;
    const label = quoted ?? scanner.take(BARE_LABEL);
    if (label === null || label === '') return 'no label where one should be';
    scanner.blanks();
    if (scanner.takes('=')) {
      scanner.blanks();
      const value = scanner.quoted();
      if (value === OPEN) return UNFINISHED;
      if (value === null) return 'a label without a value in quotes';
      // As a label the name would be a second one.
      if (label === NAME && !labels.has(NAME)) labels.add(NAME, value);
      labels.add(label, value);
    } else if (quoted === null || hasQuotedName || (scanner.peek !== ',' && scanner.peek !== '}')) {
      return 'a label without a value';
    } else {
      hasQuotedName = true;
      labels.add(NAME, quoted);
    }
    scanner.blanks();
    // In the text format the comma may be missing.
    scanner.takes(',');
  }
}

const UNFINISHED = 'a string that does not end';

class LabelsRead {
  readonly #values = new Map<string, string[]>();
  #isTwofold = false;

  get isTwofold(): boolean {
    return this.#isTwofold;
  }

  has(label: string): boolean {
    return this.#values.has(label);
  }

  add(label: string, value: string): void {
    const values = this.#values.get(label);
    if (values === undefined) {
      this.#values.set(label, [value]);
    } else {
      values.push(value);
      this.#isTwofold = true;
    }
  }

  sample(): SampleLine {
    const labels = new Map<string, string>();
    for (const [label, [value = '']] of this.#values) labels.set(label, value);
    const name = labels.get(NAME) ?? '';
    labels.delete(NAME);
    return { kind: 'sample', name, labels };
  }

  unread(why: string, scanner: Scanner): ExpositionLine {
    // Around a NUL it is not certain what was read.
    const known: KnownLabels = scanner.hasNul ? new Map() : this.#values;
    return why === UNFINISHED ? { kind: 'unfinished', known } : { kind: 'unreadable', why, known };
  }
}

class Scanner {
  at: number;
  readonly #text: string;

  constructor(text: string, at = 0) {
    this.#text = text;
    this.at = at;
  }

  get atEnd(): boolean {
    return this.at >= this.#text.length;
  }

  get peek(): string | undefined {
    return this.#text[this.at];
  }

  get rest(): string {
    return this.#text.slice(this.at);
  }

  get hasNul(): boolean {
    return this.#text.includes('\0');
  }

  /** What stands before a token at the beginning that was just taken. */
  before(token: string): string {
    return this.#text.slice(0, this.at - token.length);
  }

  blanks(): void {
    this.take(BLANKS);
  }

  takes(character: string): boolean {
    if (this.peek !== character) return false;
    this.at += 1;
    return true;
  }

  /** @param pattern - sticky. */
  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.at += match[0].length;
    return match[0];
  }

  /** A quoted string, unescaped; null: there is none here, or one that every parser refuses. */
  quoted(): string | typeof OPEN | null {
    if (this.peek !== '"') return null;
    QUOTED.lastIndex = this.at;
    const match = QUOTED.exec(this.#text);
    if (match === null) return null;
    const [raw, closing] = match;
    if (closing === '') return this.at + raw.length === this.#text.length ? OPEN : null;
    this.at += raw.length;
    const inner = raw.slice(1, -1);
    return inner.includes('\\') ? inner.replace(/\\([\\"n])/g, (_all, escape: string) => ESCAPED[escape] ?? '') : inner;
  }
}

/** Other escapes stay as they are written. */
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\', '"': '"', n: '\n' };
