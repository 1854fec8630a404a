/**
 * Text → what the user wrote, or every problem in it at once. It never throws, whatever the text, and no message
 * holds the value of a secret.
 */
import type { Document } from 'yaml';
import type * as z from 'zod';
import { didYouMean } from '../formats/suggest.ts';
import type { DocumentPath, Problem } from '../lib/problem.ts';
import { schema } from './schema.ts';
import type { Raw } from './schema.ts';
import { describeShape } from './scalars.ts';
import type { LeafFault } from './scalars.ts';
import { isBareKey } from './place.ts';
import { isSecretKey } from './secret-keys.ts';
import { isShownKey } from './shown-key.ts';
import { foreignKeyHint, foreignWordHint } from './foreign-words.ts';
import { homesOf, keysAt } from './schema-keys.ts';
import { LARGEST_YAML, readYaml } from './yaml-text.ts';

export type ParseResult =
  | { readonly ok: true; readonly raw: Raw; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads the text of a promgate.yml; `problems` of a good one are warnings. */
export async function parseConfig(text: string): Promise<ParseResult> {
  if (text.length > LARGEST_YAML) return failed([{ severity: 'error', message: 'the file is larger than 1 MiB' }]);
  const { document, faults, lines } = readYaml(text);
  const problems = faults.map(({ severity, message, hint, range }): Problem => {
    const { line, col } = lines.linePos(range[0]);
    return { severity, message, line, column: col, ...(hint === undefined ? {} : { hint }) };
  });
  if (document === null || problems.some(isError)) return failed(problems);
  const data = plainData(document);
  if (data === undefined) return failed([...problems, { severity: 'error', message: 'too many aliases', path: [] }]);
  const result = await schema.safeParseAsync(data ?? {});
  if (result.success) return { ok: true, raw: result.data, problems };
  return failed([...problems, ...result.error.issues.flatMap((issue) => toProblems(issue, { data, document }))]);
}

function failed(problems: readonly Problem[]): ParseResult {
  return { ok: false, problems };
}

export function isError(problem: Problem): boolean {
  return problem.severity === 'error';
}

/** undefined when the aliases multiply beyond reason. */
function plainData(document: { toJS(options: { maxAliasCount: number }): unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: 64 });
  } catch {
    return undefined;
  }
}

interface Written {
  readonly data: unknown;
  readonly document: Document.Parsed;
}

function toProblems(issue: z.core.$ZodIssue, written: Written): Problem[] {
  const { data } = written;
  const path = issue.path.filter((step): step is string | number => typeof step !== 'symbol');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, written));
  if (issue.code === 'custom')
    return [leafProblem(path, issue.message, (issue.params ?? {}) as LeafFault, valueAt(data, path))];
  const value = valueAt(data, path);
  if (value === undefined) return [missing(path)];
  const expected = issue.code === 'invalid_type' ? shapeName(issue.expected) : 'something else';
  // A scalar is not repeated: a password may stand where a map belongs.
  const found = typeof value === 'string' ? 'a text' : describeShape(value);
  const message = `${nameOf(path)} is ${found}, expected ${expected}`;
  const hint = issue.code === 'invalid_type' ? shapeHint(path, issue.expected, value) : null;
  return [{ severity: 'error', message, path, ...(hint === null ? {} : { hint }) }];
}

function shapeHint(path: DocumentPath, expected: string, value: unknown): string | null {
  if (expected !== 'array') return null;
  const isMap = typeof value === 'object' && value !== null;
  if (isMap && keysAt([...path, 0]).length > 0) return 'each entry begins with a dash: `- `';
  if (isMap) return selectorHint(path);
  if (path.at(-1) === 'upstreams' && typeof value === 'string' && /^[\w.:/-]{1,64}$/.test(value)) {
    return `write [{url: ${JSON.stringify(value)}}]`;
  }
  return listHint(path, value);
}

/** `match: [{job="node"}]`: the braces of a selector are a map to YAML. */
function selectorHint(path: DocumentPath): string | null {
  const key = path.findLast((step) => typeof step === 'string');
  return key === 'match' || key === 'deny_match' ? `a selector stands in quotes: ['{job="node"}']` : null;
}

/** `allow: 10.0.0.5` is what comes to mind first. */
function listHint(path: DocumentPath, value: unknown): string | null {
  if (
    typeof value !== 'string' ||
    keysAt([...path, 0]).length > 0 ||
    isBelowSecret(path) ||
    !/^[\w.:/@*-]{1,64}$/.test(value)
  )
    return null;
  return `write [${/^[\w./-]+$/.test(value) ? value : JSON.stringify(value)}]`;
}

function isBelowSecret(path: DocumentPath): boolean {
  return path.some((step) => typeof step === 'string' && isSecretKey(step));
}

function shapeName(type: string): string {
  if (type === 'object') return 'a map';
  return type === 'array' ? 'a list' : type;
}

function unknownKey(path: DocumentPath, key: string, { data, document }: Written): Problem {
  const known = keysAt(path);
  const near = didYouMean(key, known);
  const home = homesOf(key)[0];
  const foreign = foreignKeyHint(key, path);
  const hint =
    foreign !== null && !known.includes(near ?? key)
      ? foreign
      : near !== null
        ? `did you mean ${JSON.stringify(near)}?`
        : home !== undefined
          ? `${key} belongs in ${home}`
          : known.length <= 8
            ? `the keys here are ${known.join(', ')}`
            : undefined;
  // `authorization: {secret}` is a key without a value.
  const isValue =
    (valueAt(data, [...path, key]) ?? null) === null && (isBelowSecret(path) || isBareKey(document, [...path, key]));
  const name = isShownKey(key, path.at(-1), isValue) ? ` ${JSON.stringify(key)}` : '';
  const message = `unknown key${name}${path.length === 0 ? '' : ` in ${nameOf(path)}`}`;
  return { severity: 'error', message, path: [...path, key], at: 'key', ...(hint === undefined ? {} : { hint }) };
}

function leafProblem(path: DocumentPath, message: string, fault: LeafFault, value: unknown): Problem {
  if (fault.missing === true) return missing(path, fault.expected);
  const sentence =
    fault.found === undefined ? message : `${nameOf(path)} is ${fault.found}, expected ${fault.expected ?? ''}`;
  const word = typeof value === 'string' ? foreignWordHint(value, String(path.at(-1))) : selectorHint(path);
  const meant = typeof value === 'string' && word !== null ? `write ${word}` : word;
  const hint = fault.hint ?? (fault.expected !== undefined && value !== '' ? meant : null);
  return { severity: 'error', message: sentence, path, ...(hint === null ? {} : { hint }) };
}

function missing(path: DocumentPath, expected?: string): Problem {
  const key = path.at(-1);
  const what =
    typeof key === 'number'
      ? `item ${String(key + 1)} of ${nameOf(path.slice(0, -1))} is empty`
      : `missing key ${JSON.stringify(key)}`;
  const message = `${what}${expected === undefined ? '' : `, expected ${expected}`}`;
  return { severity: 'error', message, path, at: 'map' };
}

/** `upstreams[0].url`; for the whole file: `the file`. */
export function nameOf(path: DocumentPath): string {
  if (path.length === 0) return 'the file';
  return path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${String(step)}]`;
    return name === '' ? step : `${name}.${step}`;
  }, '');
}

function valueAt(data: unknown, path: DocumentPath): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}
