/**
 * The parameters of a question, read once and strictly, and written anew. Pure. What Go's url.ParseQuery would drop in
 * silence (a `;`, a bad escape) is a fault here: what two readers could read in two ways is not passed on.
 */
import { isUtf8 } from 'node:buffer';

export interface Parameter {
  readonly name: string;
  readonly value: string;
}

/** A fault in words for the client, who wrote it. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string };

export interface ParameterNames {
  readonly scalars: readonly string[];
  readonly lists: readonly string[];
}

/** What is left of the parameters: only what the endpoint knows. */
export interface Parameters {
  /** The value of a scalar; undefined when it did not come. */
  scalar(name: string): string | undefined;
  /** The values of a list, in order. */
  list(name: string): readonly string[];
}

/**
 * Reads `application/x-www-form-urlencoded` text as Go's url.ParseQuery does: split at `&`, cut at the first `=`, `+` is
 * a space. Raw bytes beyond ASCII are taken as they are.
 * @param encoded - the raw query, or the bytes of a form.
 */
export function decodeParameters(encoded: string | Buffer): Read<readonly Parameter[]> {
  // A character of this string is a byte: escapes and raw bytes make up UTF-8 together.
  const text = typeof encoded === 'string' ? encoded : encoded.toString('latin1');
  if (text.includes(';')) return fault('a raw ";" among the parameters');
  const parameters: Parameter[] = [];
  for (const part of text.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = unescaped(at === -1 ? part : part.slice(0, at));
    if (!name.ok) return name;
    const value = unescaped(at === -1 ? '' : part.slice(at + 1));
    if (!value.ok) return value;
    parameters.push({ name: name.value, value: value.value });
  }
  return { ok: true, value: parameters };
}

// eslint-disable-next-line no-control-regex -- all of it
const ASCII = /^[\x00-\x7f]*$/;
const HEX = /^[0-9A-Fa-f]{2}$/;
const ESCAPE = /%([0-9A-Fa-f]{2})/g;

function unescaped(text: string): Read<string> {
  for (let at = text.indexOf('%'); at !== -1; at = text.indexOf('%', at + 3)) {
    if (!HEX.test(text.slice(at + 1, at + 3))) return fault('an invalid %-escape');
  }
  const bytes = text
    .replaceAll('+', ' ')
    .replace(ESCAPE, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (bytes.includes('\0')) return fault('a NUL among the parameters');
  if (ASCII.test(bytes)) return { ok: true, value: bytes };
  const utf8 = Buffer.from(bytes, 'latin1');
  return isUtf8(utf8) ? { ok: true, value: utf8.toString('utf8') } : fault('a parameter that is not UTF-8');
}

function fault(text: string): { readonly ok: false; readonly fault: string } {
  return { ok: false, fault: text };
}

/**
 * What the endpoint knows of the parameters, those of the query and of the body counted together.
 * @returns a fault when a scalar came twice: nobody knows which one another server would take.
 */
export function selectParameters(
  all: readonly Parameter[],
  { scalars: scalarNames, lists: listNames }: ParameterNames,
): Read<Parameters> {
  const scalars = new Map<string, string>();
  const lists = new Map<string, string[]>(listNames.map((name) => [name, []]));
  for (const { name, value } of all) {
    lists.get(name)?.push(value);
    if (!scalarNames.includes(name)) continue;
    if (scalars.has(name)) return fault(`the parameter "${name}" more than once`);
    scalars.set(name, value);
  }
  return {
    ok: true,
    value: { scalar: (name) => scalars.get(name), list: (name) => lists.get(name) ?? [] },
  };
}

/**
 * Our own serialisation: every byte outside RFC 3986 `unreserved` is escaped, so that it reads the same everywhere.
 * @throws URIError for text that is no Unicode (a lone surrogate).
 */
export function encodeParameters(parameters: readonly Parameter[]): string {
  return parameters.map(({ name, value }) => `${escaped(name)}=${escaped(value)}`).join('&');
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
