/**
 * The secret parts of a text that is not YAML. What such a text means nobody knows: of each line that is shown which
 * plainly is a known key with a value that fits it, and the first doubt hides the rest of the line and what is below it.
 */
import type { Range } from './place.ts';
import { schemaKeys } from './schema-keys.ts';
import type { SchemaKey } from './schema-keys.ts';
import { isSecretKey, namesUrl, SECRET_IN_TEXT } from './secret-keys.ts';
import { isShownKey } from './shown-key.ts';

const KEY_LINE = /^(\s*(?:- +)*)(["']?)([A-Za-z][\w.-]*)\2(?=\s*:(?:\s|$))/;
/** Anything with a colon behind it, at the beginning or within brackets. */
const KEY_WITHIN = /(["']?)([^\s"'{}[\],:#]+)\1\s*:(?=\s|$|["'[{])/g;

/** Keys of the schema that nothing secret is in or around. */
const holds = new Map<string, SchemaKey['holds']>();
for (const { path, holds: what } of schemaKeys()) {
  const key = path.at(-1) ?? '';
  if (path.some(isSecretKey)) continue;
  // Where one name means several things the one that shows least counts.
  if (holds.get(key) !== 'section') holds.set(key, what);
}

/** Ranges in the order of the text. */
export function* secretLines(text: string): Generator<Range> {
  /** The column of the secret or unknown key that everything belongs to now. */
  let below: number | null = null;
  /** The last known key: what stands in lines without one belongs to it. */
  let last = '';
  /** Brackets that it has opened so far, and not closed. */
  let open = 0;
  let start = 0;
  for (const line of text.split('\n')) {
    const [, indent = '', , key] = KEY_LINE.exec(line) ?? [];
    const isKnown = key !== undefined && holds.has(key);
    if (below !== null && isKnown && indent.length <= below) below = null;
    if (isKnown) [last, open] = [key, 0];
    const goesOn = holds.get(last) === 'leaves' && (open > 0 || /^\s*- /.test(line));
    open += line.split(/[[{]/).length - line.split(/[\]}]/).length;
    const doubt = below === null ? doubtIn(line, isKnown ? key : null, goesOn ? last : null) : 0;
    if (doubt !== null) {
      const from = doubt + (line.slice(doubt).length - line.slice(doubt).trimStart().length);
      if (from < line.length) yield [start + from, start + line.length];
      if (!/^\s*(?:#|$)/.test(line))
        below ??= key === undefined ? line.length - line.trimStart().length : indent.length;
    }
    start += line.length + 1;
  }
}

/** Where in a line the first thing is that may say too much; null when there is none. */
function doubtIn(line: string, key: string | null, last: string | null): number | null {
  const secret = SECRET_IN_TEXT.exec(line);
  const doubts = secret === null ? [] : [secret.index + secret[0].length];
  let from = 0;
  for (const { index, 0: whole, 2: name = '' } of line.matchAll(KEY_WITHIN)) {
    const after = index + whole.length;
    if (holds.has(name)) continue;
    doubts.push(isSecretKey(name) || isShownKey(name, undefined, false) ? after : index);
    break;
  }
  if (key !== null) from = (KEY_LINE.exec(line)?.[0].length ?? 0) + 1;
  else if (last === null && /[^\s,[\]{}-]/.test(line)) doubts.push(0);
  const value = line.slice(from);
  const url = namesUrl(key ?? '') || /\bur[li]\s*:/.test(line) ? value.lastIndexOf('@') : -1;
  if (url !== -1) doubts.push(from);
  const odd = oddIn(value, key ?? last ?? '');
  if (odd !== -1) doubts.push(from + odd);
  return doubts.length === 0 ? null : Math.min(...doubts);
}

/** Anchors, aliases and tags, words without a comma between them, words in braces without a colon, words for a section. */
function oddIn(value: string, key: string): number {
  const odd = [
    value.search(/(?<=^|[\s,[{])[&*!|>%`?](?=\S|\s*$)|\\/),
    value.search(/(?<=\{\s*)[^\s:{}"']+(?=\s*[,}]|\s*$)/),
  ];
  if (!/match$|^labels$/.test(key)) odd.push(value.search(/(?<=[^\s,:[{-])\s+[^\s,\]}#]/));
  if (holds.get(key) === 'section' && !/[[{]/.test(value)) odd.push(value.search(/\S/));
  const found = odd.filter((at) => at !== -1);
  return found.length === 0 ? -1 : Math.min(...found);
}
