/**
 * The leaves of the schema: a YAML scalar, as text, read by a parser of formats/. YAML's own guesses (`012`, `no`, `1e3`)
 * play no part: what a scalar means is decided by its key. A message here quotes the value, unless the leaf is secret.
 */
import * as z from 'zod';
import { parseByteSize } from '../formats/byte-size.ts';
import { parseGoDuration, parsePrometheusDuration } from '../formats/duration.ts';
import { didYouMean } from '../formats/suggest.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';

/** What parse.ts finds in a custom issue: enough to make the sentence of the problem. */
export interface LeafFault {
  /** The key is not there, or has no value. */
  readonly missing?: true;
  /** In words: what the key takes. */
  readonly expected?: string;
  /** What stood there; never set for a secret. */
  readonly found?: string;
  readonly hint?: string;
}

/** A number beyond which Node's timers overflow and fire at once. */
const LONGEST_MS = 24 * 24 * 3600 * 1000;

/** Names what stands where a scalar was expected. */
export function describeShape(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : JSON.stringify(value);
}

/** null: it is not what is expected, and there is no more to say. */
type Reader<T> = (text: string) => Parsed<T> | null;

function read<T>(value: unknown, expected: string, parse: Reader<T>): Parsed<T> | LeafFault {
  if (value === undefined || value === null) return { missing: true, expected };
  if (typeof value !== 'string') return { expected, found: describeShape(value) };
  return parse(value) ?? { expected, found: describeShape(value) };
}

/** A leaf: `parse` gets the text of the scalar; `expected` names what belongs there, as in "expected a duration". */
export function scalar<T>(expected: string, parse: Reader<T>) {
  return z.unknown().transform((value, context): T => {
    const result = read(value, expected, parse);
    if ('ok' in result && result.ok) return result.value;
    context.addIssue(issueOf(result));
    return z.NEVER;
  });
}

/** A leaf whose parser is loaded when the first such key stands in a file. */
export function scalarLater<T>(expected: string, load: () => Promise<Reader<T>>) {
  return z.unknown().transform(async (value, context): Promise<T> => {
    const result = read(value, expected, await load());
    if ('ok' in result && result.ok) return result.value;
    context.addIssue(issueOf(result));
    return z.NEVER;
  });
}

function issueOf(fault: Exclude<Parsed<never>, { readonly ok: true }> | LeafFault) {
  if (!('ok' in fault)) return { code: 'custom' as const, message: '', params: fault };
  const params: LeafFault = fault.hint === undefined ? {} : { hint: fault.hint };
  return { code: 'custom' as const, message: fault.message, params };
}

/** An optional key; `key:` without a value counts as absent. */
export function optional<S extends z.ZodType>(inner: S) {
  return z.preprocess((value) => value ?? undefined, inner.optional()).optional();
}

/**
 * An optional list that narrows when it is there. One without items, every line commented out, must not turn into
 * "everything": it counts as written and empty.
 */
export function narrowing<S extends z.ZodType>(item: S) {
  return z.preprocess((value) => (value === null ? [] : value), z.array(item).optional()).optional();
}

/** A key with a default, given as it would be written in the file. */
export function defaulted<S extends z.ZodType>(inner: S, asWritten: unknown) {
  return z.preprocess((value) => value ?? asWritten, inner).prefault(asWritten as never);
}

export const text = (expected: string) =>
  scalar(expected, (value): Parsed<string> => (value === '' ? unparsed(`empty, expected ${expected}`) : parsed(value)));

/** Like the toolkit's strings, where the empty one means that the key is not set. */
export const blankable = (expected: string) => scalar(expected, (value): Parsed<string> => parsed(value));

/** The words that YAML 1.1, and so every web.yml, knows as booleans. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  y: true,
  false: false,
  no: false,
  off: false,
  n: false,
};

export const boolean = () =>
  scalar('true or false', (value): Parsed<boolean> | null => {
    const known = own(BOOLEANS, value.toLowerCase());
    return known === undefined ? null : parsed(known);
  });

/** @param ofZero the way out for who writes 0 and means none. */
export const integer = (least: number, most: number, ofZero?: string) => {
  const range = `a whole number from ${String(least)} to ${String(most)}`;
  return scalar(range, (value): Parsed<number> | null => {
    const number = /^[+-]?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return parsed(number);
    return number === 0 && ofZero !== undefined ? unparsed(`0 is too small, expected ${range}`, ofZero) : null;
  });
};

/** One of a closed list of words; `aliases` are accepted and not advertised. What stands in place of a secret is not quoted. */
export function oneOf<const T extends string>(
  words: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
  isSecret = false,
) {
  const list = words.length === 1 ? words[0] : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
  return z.unknown().transform((value, context): T => {
    const known = typeof value === 'string' ? (words.find((word) => word === value) ?? own(aliases, value)) : undefined;
    if (known !== undefined) return known;
    const near = typeof value === 'string' ? (didYouMean(value, words) ?? completed(value, words)) : null;
    const params: LeafFault = {
      expected: list ?? '',
      ...(value === undefined || value === null
        ? { missing: true }
        : { found: isSecret ? 'something else' : describeShape(value) }),
      ...(near === null ? {} : { hint: `did you mean ${JSON.stringify(near)}?` }),
    };
    context.addIssue({ code: 'custom', message: '', params });
    return z.NEVER;
  });
}

/** `RequireAndVerify` is far from every word by its letters, and plainly the beginning of one. */
function completed(value: string, words: readonly string[]): string | null {
  const candidates = value.length < 4 ? [] : words.filter((word) => word.toLowerCase().startsWith(value.toLowerCase()));
  return candidates.length === 1 ? (candidates[0] ?? null) : null;
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function within(result: Parsed<number>, written: string, least: number, ofZero?: string): Parsed<number> {
  if (!result.ok) return result;
  if (result.value < least)
    return unparsed(
      `${JSON.stringify(written)} is too short, expected ${least % 1000 === 0 ? `${String(least / 1000)}s` : `${String(least)}ms`} or more`,
      result.value === 0 ? ofZero : undefined,
    );
  if (result.value > LONGEST_MS) return unparsed(`${JSON.stringify(written)} is too long, expected 24d or less`);
  return result;
}

/** A Prometheus duration, in milliseconds. */
export const duration = (leastMs = 1, ofZero?: string) =>
  scalar('a duration such as 10s or 1m30s', (value) => within(parsePrometheusDuration(value), value, leastMs, ofZero));

/** A Prometheus duration or `off`, which is null. */
export const durationOrOff = (leastMs: number) =>
  scalar('a duration such as 12h, or off', (value): Parsed<number | null> =>
    value === 'off' ? parsed(null) : within(parsePrometheusDuration(value), value, leastMs),
  );

/** What Go's yaml takes for a time.Duration: its own notation, or a bare whole number of nanoseconds. In milliseconds. */
export const goDuration = () =>
  scalar('a Go duration such as 1s or 100ms', (value): Parsed<number> => {
    if (/^\d{1,15}$/.test(value)) return parsed(Number(value) / 1e6);
    const result = parseGoDuration(value);
    if (result.ok && result.value < 0) return unparsed(`${JSON.stringify(value)} is negative`);
    return result;
  });

/** A size such as 10MB, in bytes. */
export const byteSize = (least = 0, ofZero?: string) =>
  scalar('a size such as 10MB', (value): Parsed<number> => {
    const size = parseByteSize(value);
    if (!size.ok || size.value >= least) return size;
    return unparsed(
      `${JSON.stringify(value)} is too small, expected ${String(least)}B or more`,
      size.value === 0 ? ofZero : undefined,
    );
  });
