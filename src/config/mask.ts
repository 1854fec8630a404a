/**
 * Which parts of the configuration's text may not be printed: keys, passwords, hashes, whatever else looks like a
 * secret. Works on text that is not YAML at all; rather one mask too many.
 */
import type { Document } from 'yaml';
import { secretLines } from './mask-lines.ts';
import { secretNodes } from './mask-nodes.ts';
import type { Range } from './place.ts';
import { SECRET_IN_TEXT } from './secret-keys.ts';

const CREDENTIALS = [
  // Password hashes of any scheme, known or not.
  /\$[0-9A-Za-z_-]+\$[^\s"',}\]]+/dg,
  /\{(?:SSHA|SHA|PLAIN|MD5|CRYPT)[^}]{0,8}\}[^\s"',}\]]+/dgi,
  // Credentials in a URL.
  /:\/\/([^\s/@]+)@/dg,
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

/** A sentence without what looks like credentials: a value that is quoted in it may stand under the wrong key. */
export function maskSentence(sentence: string, mask: string): string {
  return CREDENTIALS.reduce((masked, look) => {
    return masked.replace(look, (_: string, part: unknown) => (typeof part === 'string' ? `://${mask}@` : mask));
  }, sentence);
}

/** Ranges that may not be printed, in the order of the text; they may overlap. */
export function secretRanges(text: string, document: Document.Parsed | null): readonly Range[] {
  const ranges = [...secretLooks(text)];
  if (document !== null) ranges.push(...secretNodes(text, document));
  if (document === null || !isExact(text, document)) ranges.push(...secretLines(text));
  return ranges.sort((a, b) => a[0] - b[0]);
}

/** Whether the nodes of the document are the whole text, each where it says it is. */
function isExact(text: string, { errors, range }: Document.Parsed): boolean {
  return errors.every(({ code }) => code === 'DUPLICATE_KEY') && text.slice(range[2]).trim() === '';
}

/** What is secret by its looks, and what a comment gives away. */
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
    const comment = isLong ? -1 : line.indexOf('#');
    const secret = comment === -1 ? null : SECRET_IN_TEXT.exec(line.slice(comment));
    if (secret !== null) {
      const after = comment + secret.index + secret[0].length;
      const value = line.length - line.slice(after).trimStart().length;
      if (value < line.length) yield [start + value, start + line.length];
    }
    start += line.length + 1;
  }
}
