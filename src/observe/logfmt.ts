/** A line of JSON as logfmt (`key=value key="quoted value"`). Pure; one line in is one line out, whatever the values say. */
import { escapeNonPrintable } from '../lib/foreign-text.ts';

/** What needs no quotes: no space, `=`, quote or backslash, nothing outside printable ASCII, and not nothing. */
const BARE = /^[!#-<>-[\]-~]+$/;

function formatKey(key: string): string {
  return key.replace(/[^A-Za-z0-9_.-]/g, '_') || '_';
}

/** A list of texts becomes one text; other arrays stay JSON. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(', ');
  return JSON.stringify(value);
}

function formatValue(value: unknown): string {
  const text = textOf(value);
  return BARE.test(text) ? text : escapeNonPrintable(JSON.stringify(text));
}

/** Nested objects become `outer.inner=value`. */
function formatPairs(fields: object, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? formatPairs(value, `${prefix}${formatKey(key)}.`)
      : `${prefix}${formatKey(key)}=${formatValue(value)}`,
  );
}

/** @param line a JSON object without line break. What is not one becomes `msg`. */
export function toLogfmt(line: string): string {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    fields = null;
  }
  if (typeof fields !== 'object' || fields === null) return `msg=${formatValue(line)}`;
  const { time, level, msg, ...others } = fields as Record<string, unknown>;
  return formatPairs({ time, level, msg, ...others }).join(' ');
}
