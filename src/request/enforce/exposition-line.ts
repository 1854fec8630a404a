/**
 * One line of an exposition page (text 0.0.4, OpenMetrics 1.0, quoted UTF-8 names): which series it belongs to. Pure and
 * strict: what could be read in two ways is null, and the page is not passed on.
 */

export interface SampleLine {
  readonly kind: 'sample';
  /** The metric's name. */
  readonly name: string;
  /** Without the name. */
  readonly labels: ReadonlyMap<string, string>;
}

export type ExpositionLine =
  | SampleLine
  /** HELP, TYPE or UNIT of a metric. */
  | { readonly kind: 'metadata'; readonly name: string }
  /** OpenMetrics: nothing comes after it. */
  | { readonly kind: 'eof' }
  /** A comment, or nothing. */
  | { readonly kind: 'blank' };

const BARE_METRIC = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const BARE_LABEL = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const BLANKS = /[ \t]*/y;
/** Go's text parser and Prometheus's lexer end a string at the first quote that no backslash precedes. */
const QUOTED = /"[^"\\]*(?:\\[\\"n][^"\\]*)*"/y;
const METADATA = /^#[ \t]+(?:HELP|TYPE|UNIT)[ \t]+/;
/** The value, a timestamp, an exemplar: all of it belongs to the sample. No control characters. */
// eslint-disable-next-line no-control-regex -- exactly these
const REST = /^[ \t]+[^ \t\x00-\x08\x0a-\x1f\x7f#][^\x00-\x08\x0a-\x1f\x7f]*$/;

/** @param line - without its line feed. */
export function parseExpositionLine(line: string): ExpositionLine | null {
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
  const name = scanner.quoted() ?? scanner.take(BARE_METRIC);
  // What is no metadata is a comment like any other.
  return name === null || !/^[ \t]|^$/.test(scanner.rest) ? { kind: 'blank' } : { kind: 'metadata', name };
}

function parseSample(scanner: Scanner): SampleLine | null {
  let name = scanner.take(BARE_METRIC);
  const labels = new Map<string, string>();
  scanner.blanks();
  if (scanner.peek === '{') {
    scanner.skip();
    const inner = parseLabels(scanner, labels);
    if (inner === null || (name !== null && inner.name !== null)) return null;
    name ??= inner.name;
  } else {
    scanner.back();
  }
  // `__name__` as a label would be a second name.
  if (name === null || name === '' || labels.has('__name__')) return null;
  return REST.test(scanner.rest) ? { kind: 'sample', name, labels } : null;
}

/** What is between the braces; `name`: the quoted metric name that stands among the labels in newer formats. */
function parseLabels(scanner: Scanner, labels: Map<string, string>): { readonly name: string | null } | null {
  let metric: string | null = null;
  for (let isFirst = true; ; isFirst = false) {
    scanner.blanks();
    if (scanner.takes('}')) return { name: metric };
    const quoted = scanner.quoted();
    const label = quoted ?? scanner.take(BARE_LABEL);
    if (label === null) return null;
    scanner.blanks();
    if (scanner.takes('=')) {
      scanner.blanks();
      const value = scanner.quoted();
      if (value === null || label === '' || labels.has(label)) return null;
      labels.set(label, value);
    } else {
      if (quoted === null || !isFirst) return null;
      metric = quoted;
    }
    scanner.blanks();
    if (!scanner.takes(',') && scanner.peek !== '}') return null;
  }
}

class Scanner {
  at: number;
  readonly #text: string;
  #blanksFrom = 0;

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

  skip(): void {
    this.at += 1;
  }

  blanks(): void {
    this.#blanksFrom = this.at;
    this.take(BLANKS);
  }

  /** Takes the last blanks back. */
  back(): void {
    this.at = this.#blanksFrom;
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

  /** A quoted string, unescaped. */
  quoted(): string | null {
    const raw = this.take(QUOTED);
    if (raw === null) return null;
    const inner = raw.slice(1, -1);
    return inner.includes('\\') ? inner.replace(/\\(.)/g, (_all, escape: string) => UNESCAPED[escape] ?? '') : inner;
  }
}

const UNESCAPED: Readonly<Record<string, string>> = { '\\': '\\', '"': '"', n: '\n' };
