/**
 * Contract: the request line, judged once before everything. A path that is not in normal form is refused, never
 * repaired: what is judged is what is sent.
 */
import { isUtf8 } from 'node:buffer';

export interface Target {
  readonly method: string;
  /** The path in normal form, as it came: absolute, no empty or dot segments, only harmless %-escapes. */
  readonly path: string;
  /** The query without `?`, in ASCII: raw UTF-8 is escaped, which every server reads as the same. Empty: there is none. */
  readonly query: string;
}

const METHOD = /^[A-Z]{1,20}$/;
/** CONNECT asks for a tunnel; TRACE and TRACK would send the upstream's own credentials back in the answer. */
const NEVER_PROXIED: readonly string[] = ['CONNECT', 'TRACE', 'TRACK'];

/** RFC 3986 pchar without `;` (path parameters are read differently by every server), with `/`, `%` looked at apart. */
const PATH = /^[A-Za-z0-9\-._~!$&'()*+,=:@/%]+$/;
/** Any printable ASCII but `#`: curl sends `{`, `"` and `\` of selectors as they are, and so does Go's parser take them. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/;
/** The bytes of UTF-8, as Node gives them: each a character. */
const BEYOND_ASCII = /[\x80-\xff]+/g;
const DOT_SEGMENT = /\/\.\.?(?:\/|$)/;

const ESCAPE = /^[0-9A-F]{2}$/;
/**
 * Escapes that a second decoder, a file system or a router would read as something else: controls, `#`, `%`, `/`, `;`,
 * `?`, `\`; and letters, digits, `-._~`, which need no escape (a dot so hidden is still a dot).
 */
const HARMFUL_ESCAPE = /^(?:[01].|7F|2[35DEF]|3[0-9BF]|4[1-9A-F]|5[0-9ACF]|6[1-9A-F]|7[0-9AE])$/;

/** Why a path is not in normal form, in words for the log; null when it is. */
function pathFault(path: string): string | null {
  if (path === '*') return 'asterisk form';
  if (!path.startsWith('/')) return 'not in origin form';
  if (!PATH.test(path)) return 'character that does not belong in a path';
  if (path.includes('//')) return 'empty segment';
  if (DOT_SEGMENT.test(path)) return 'dot segment';
  return path.includes('%') ? escapeFault(path) : null;
}

function escapeFault(path: string): string | null {
  for (let at = path.indexOf('%'); at !== -1; at = path.indexOf('%', at + 1)) {
    const hex = path.slice(at + 1, at + 3);
    // RFC 3986 §6.2.2.1: upper case is the normal form; two spellings of one path would be two paths to the rules.
    if (!ESCAPE.test(hex)) return 'bad %-escape, or one in lower case';
    if (HARMFUL_ESCAPE.test(hex)) return 'escape of a separator, a control or an unreserved character';
  }
  try {
    decodeURIComponent(path);
  } catch {
    return 'over-long or invalid UTF-8';
  }
  return null;
}

/**
 * Judges method and request target (RFC 9112 §3.2.1 origin form only; RFC 3986 §6.2.2 normal form).
 * @param url - as Node gives it; an h2 CONNECT has none.
 * @returns the target, or what is wrong with it, in words for the log.
 */
export function judgeTarget(method: string, url: string | undefined): Target | { readonly fault: string } {
  if (!METHOD.test(method)) return { fault: 'method is not a token in upper case' };
  if (NEVER_PROXIED.includes(method)) return { fault: `${method} is never proxied` };
  if (url === undefined) return { fault: 'no request target' };
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : escapedUtf8(url.slice(mark + 1));
  const fault = pathFault(path);
  if (fault !== null) return { fault };
  if (!QUERY.test(query)) return { fault: 'character that does not belong in a query' };
  return { method, path, query };
}

/** Go's net/url takes raw bytes in a query, and some clients write them. What is no UTF-8 stays, and is refused. */
function escapedUtf8(query: string): string {
  return query.replace(BEYOND_ASCII, (raw) => {
    const bytes = Buffer.from(raw, 'latin1');
    return isUtf8(bytes) ? bytes.toString('hex').toUpperCase().replace(/../g, '%$&') : raw;
  });
}
