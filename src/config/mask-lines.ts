/**
 * The secret parts of a text that is not YAML: from a secret key on, everything up to the next line that plainly begins
 * another key. What such a text means nobody knows, so that a mask too many is the rule.
 */
import type { Range } from './place.ts';
import { schemaKeys } from './schema-keys.ts';
import { SECRET_IN_TEXT } from './secret-keys.ts';

const KEY_LINE = /^(\s*(?:- +)*)(["']?)([A-Za-z_-]+)\2\s*:(?:\s|$)/;

/** A key by escapes or by an alias: nobody writes one without a reason, and what it says is not known here. */
const ODD_KEY = /(?:"[^"]*\\[^"]*"|\*\S+)\s*:/;

/** Ranges in the order of the text. */
export function* secretLines(text: string): Generator<Range> {
  const known = new Set(schemaKeys().map(({ path }) => path.at(-1)));
  /** The column of the secret key that everything belongs to now. */
  let below: number | null = null;
  let start = 0;
  for (const line of text.split('\n')) {
    const [, indent = '', , key] = KEY_LINE.exec(line) ?? [];
    if (below !== null && key !== undefined && indent.length <= below && known.has(key)) below = null;
    const secret = SECRET_IN_TEXT.exec(line) ?? ODD_KEY.exec(line);
    const comment = line.search(/(?:^|\s)#/);
    if (below !== null) {
      yield [start + line.length - line.trimStart().length, start + line.length];
    } else if (secret !== null) {
      const after = secret.index + secret[0].length;
      const value = line.length - line.slice(after).trimStart().length;
      yield [start + value, start + line.length];
      if (comment === -1 || secret.index < comment) below = secret.index;
    }
    start += line.length + 1;
  }
}
