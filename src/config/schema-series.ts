/** The keys that say which series an identity may see or ask for: selectors, and labels that every series must have. */
import * as z from 'zod';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { printSelector } from '../promql/print-selector.ts';
import type { Matcher } from '../promql/selector.ts';
import { defaulted, describeShape, narrowing, oneOf, optional, scalarLater } from './scalars.ts';
import type { LeafFault } from './scalars.ts';

/** Most gates restrict nobody, and start without the grammar and the engine for regular expressions. */
const loadParser = async () => (await import('../promql/parse-selector.ts')).parseSelector;

const selector = scalarLater('a selector such as {job="node"}', async () => {
  const parseSelector = await loadParser();
  return (text) => parseSelector(text);
});

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/**
 * Prometheus 3 takes any text in UTF-8. Taken here is what was meant to be one: with a dot, a slash or a letter beyond ASCII,
 * and nothing that cannot be seen. `match` takes the others (`{"some-label"="x"}`).
 */
const UTF8_NAME = /^(?=.*(?:[./]|(?![a-zA-Z])\p{L}))[^\p{C}\p{Z}"'`\\\ufffd]+$/u;
const REGEX_PREFIX = '=~';
const EXPECTED = 'a value, a list of values, or "=~" and a regular expression';

/** What a regular expression of RE2 reads as something else than itself. */
function quoted(value: string): string {
  return value.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}

/** One value, as it stands; the empty one is what a series without the label has. */
function literal(value: unknown): Parsed<string> {
  if (typeof value !== 'string') return unparsed(`expected a value, found ${describeShape(value)}`);
  if (value === '') {
    return unparsed('the empty value would admit every series without the label', 'say so with match, if it is meant');
  }
  return parsed(value);
}

function listed(label: string, values: readonly unknown[]): Parsed<Matcher> {
  if (values.length === 0) return unparsed('no values: no series could be seen', 'remove the label, or list values');
  const texts: string[] = [];
  for (const value of values) {
    if (typeof value === 'string' && value.startsWith(REGEX_PREFIX)) {
      return unparsed('a regular expression stands alone, not in a list', 'write it as "=~first|second"');
    }
    const text = literal(value);
    if (!text.ok) return text;
    texts.push(text.value);
  }
  const [only] = texts;
  if (texts.length === 1 && only !== undefined) return parsed({ label, operator: '=', value: only });
  return parsed({ label, operator: '=~', value: texts.map(quoted).join('|') });
}

/** A map entry as a matcher: `t1`, `[t1, t2]` or `"=~t.*"`. */
async function labelMatcher(label: string, value: unknown): Promise<Parsed<Matcher>> {
  if (!LABEL_NAME.test(label) && !UTF8_NAME.test(label))
    return unparsed(`${JSON.stringify(label)} is not a label name`);
  if (Array.isArray(value)) return listed(label, value);
  if (typeof value !== 'string') return unparsed(`expected ${EXPECTED}, found ${describeShape(value)}`);
  if (/^(?:~|!~|!=|=)/.test(value) && !value.startsWith(REGEX_PREFIX)) {
    const meant = value.startsWith('!')
      ? 'what is not to be seen is said with match'
      : `did you mean ${JSON.stringify(REGEX_PREFIX + value.slice(1))}?`;
    return unparsed('a regular expression begins with "=~"; in a list the value stands as it is', meant);
  }
  if (!value.startsWith(REGEX_PREFIX)) return listed(label, [value]);
  const matcher: Matcher = { label, operator: REGEX_PREFIX, value: value.slice(REGEX_PREFIX.length) };
  // Also refuses one that the empty text matches: it would admit every series without the label.
  const parseSelector = await loadParser();
  const read = parseSelector(printSelector({ matchers: [matcher] }));
  if (read.ok) return parsed(matcher);
  const isAll = /^=~\.\*$/.test(value);
  return unparsed(read.message, isAll ? 'write "=~.+" for every value, or remove the label' : read.hint);
}

/** A list, not a record: a record would lose a label called `__proto__`. */
const labels = z.unknown().transform(async (value, context): Promise<readonly Matcher[]> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const hint = 'write {job: node}, {job: [node, mysql]} or {job: "=~node.*"}';
    const params: LeafFault = { expected: 'a map of labels to values', found: describeShape(value), hint };
    context.addIssue({ code: 'custom', message: '', params });
    return z.NEVER;
  }
  const matchers: Matcher[] = [];
  for (const [label, written] of Object.entries(value) as [string, unknown][]) {
    const matcher = await labelMatcher(label, written);
    if (matcher.ok) {
      matchers.push(matcher.value);
    } else {
      const params: LeafFault = matcher.hint === undefined ? {} : { hint: matcher.hint };
      context.addIssue({ code: 'custom', message: matcher.message, path: [label], params });
    }
  }
  return matchers;
});

/** Part of an entry of `identities`. */
export const seriesKeys = {
  match: narrowing(selector),
  // Like `narrowing`: a map whose every line is commented out must not turn into "every series".
  labels: z.preprocess((value) => (value === null ? {} : value), labels.optional()).optional(),
  deny_match: defaulted(z.array(selector), []),
  exporter_page: optional(oneOf(['filter', 'refuse'])),
};
