/**
 * A problem in something an operator wrote, and the result of reading it. Makers of problems are pure; drawing one
 * with its line and caret is the renderer's work (config/explain.ts).
 */

/** Where in a YAML document a problem sits: the keys and indices that lead to it. */
export type DocumentPath = readonly (string | number)[];

export interface Problem {
  readonly severity: 'error' | 'warning';
  /** What was found and what was expected; no capital, no full stop, never a secret. */
  readonly message: string;
  /** The way out, where there is one. */
  readonly hint?: string;
  /** The path in the YAML document; with `at` it decides what the caret points at (default: the value). */
  readonly path?: DocumentPath;
  readonly at?: 'key' | 'value' | 'map';
  /** A file other than the configuration file (htpasswd, certificate, CRL), and the line in it, from 1. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** A warning, because the gate starts with it and may mend it; but no client gets through, and `check` fails. */
  readonly servesNobody?: true;
}

/** What a parser in formats/ says: a value, or a sentence that tells what is wrong (place is added by the caller). */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly hint?: string; readonly line?: number };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function unparsed(message: string, hint?: string, line?: number): Parsed<never> {
  return { ok: false, message, ...(hint === undefined ? {} : { hint }), ...(line === undefined ? {} : { line }) };
}
