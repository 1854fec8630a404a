/**
 * Which parts of the configuration's text may not be printed: keys, passwords, hashes, whatever else looks like a
 * secret. Works on text that is not YAML at all; rather one mask too many.
 */
import type { Document } from 'yaml';
import { secretLines } from './mask-lines.ts';
import { secretNodes } from './mask-nodes.ts';
import type { Range } from './place.ts';

const CREDENTIALS = [
  // Password hashes of any scheme, known or not.
  /\$[0-9A-Za-z_-]+\$[^\s"',}\]]+/dg,
  /\{(?:SSHA|SHA|PLAIN|MD5|CRYPT)[^}]{0,8}\}[^\s"',}\]]+/dgi,
  // Credentials in a URL, and what is meant as one: a user, a colon and whatever stands before the last `@`.
  /:\/\/([^\s/@]+)@/dg,
  /(?:\/\/|(?<![\w:@./]))([^\s"'/:,{[(]*:[^\s"']*)@/dg,
];
const TOKENS = [
  // Lines of a PEM block.
  /^\s*([A-Za-z0-9+/]{40,}={0,2})\s*$/dg,
  // Hexadecimal, and what has letters of both cases and digits: neither a path nor the name of a constant or a host.
  /(?=[a-f-]*\d)[0-9a-f-]{32,}/dg,
  /(?=[A-Za-z+=_-]*\d)(?=[A-Z0-9+=_-]*[a-z])(?=[a-z0-9+=_-]*[A-Z])[A-Za-z0-9+=_-]{32,}/dg,
];
const LONGEST_LINE = 4096;
const SECRET_LOOKS = [...CREDENTIALS, ...TOKENS];

/**
 * A sentence without what looks like credentials, since a value that is quoted in it may stand under the wrong key, and
 * without the values that are secret in the file.
 */
export function maskSentence(sentence: string, values: readonly string[], mask: string): string {
  const without = values.reduce((text, value) => {
    // As it is, and as a sentence quotes it.
    return [value, JSON.stringify(value).slice(1, -1)].reduce(
      (said, spelling) => withoutWord(said, spelling, mask),
      text,
    );
  }, sentence);
  return CREDENTIALS.reduce((masked, look) => {
    return masked.replace(look, (all: string, part: unknown) =>
      typeof part === 'string' ? all.replace(part, mask) : mask,
    );
  }, without);
}

/** A value that is a part of a longer word is not what was meant. */
function withoutWord(sentence: string, word: string, mask: string): string {
  const literal = word.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  return sentence.replace(new RegExp(`(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])`, 'g'), mask);
}

export interface Secrets {
  /** What may not be printed of the text, in its order; ranges may overlap. */
  readonly ranges: readonly Range[];
  /** What may not stand in a sentence. */
  readonly values: readonly string[];
}

/** Shorter ones are in half of the words of a sentence. */
const SHORTEST_VALUE = 5;

/** What may not be printed of a text and its document, which is null when the text could not be composed at all. */
export function secretsOf(text: string, document: Document.Parsed | null): Secrets {
  const nodes = document === null ? { ranges: [], values: [] } : secretNodes(text, document);
  const isRead = document !== null && isExact(text, document);
  const ranges = [...secretLooks(text), ...(isRead ? nodes.ranges : secretLines(text))];
  const values = nodes.values.map((value) => value.trim()).filter((value) => value.length >= SHORTEST_VALUE);
  return {
    ranges: ranges.sort((a, b) => a[0] - b[0]),
    // The longest first: one may be a part of another.
    values: [...new Set(values)].sort((a, b) => b.length - a.length),
  };
}

/** Whether the nodes of the document are the whole text, each where it says it is. */
function isExact(text: string, { errors, range }: Document.Parsed): boolean {
  return errors.every(({ code }) => code === 'DUPLICATE_KEY') && text.slice(range[2]).trim() === '';
}

/** What is secret by its looks, and what comments say. */
function* secretLooks(text: string): Generator<Range> {
  let start = 0;
  let inPrivateKey = false;
  for (const line of text.split('\n')) {
    if (line.includes('PRIVATE KEY')) inPrivateKey = line.includes('BEGIN');
    // On a very long line the expressions below would take their time, and nobody reads it.
    const isLong = line.length > LONGEST_LINE;
    if (inPrivateKey || isLong) yield [start, start + line.length];
    for (const look of isLong ? [] : SECRET_LOOKS) {
      for (const match of line.matchAll(look)) {
        const [from, to] = match.indices?.[1] ?? match.indices?.[0] ?? [0, line.length];
        yield [start + from, start + to];
      }
    }
    // What is commented out explains no problem, and may be an older password.
    const comment = isLong ? -1 : line.search(/(?<=^|\s)#\s*\S/);
    const words = line.slice(comment).replace(/^#+\s*/, '');
    if (comment !== -1 && words !== '') yield [start + line.length - words.length, start + line.length];
    start += line.length + 1;
  }
}
