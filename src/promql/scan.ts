/**
 * Where strings and comments of a query begin and end, as Prometheus's own lexer reads them. The grammar never sees their
 * content: two readers that disagree on it (a comment that a carriage return ends, a quote within a string) would see two
 * different queries.
 */
import { readLiteral } from './string-literal.ts';

/** Why a text is refused; `position` is an index into it. */
export interface Fault {
  readonly ok: false;
  readonly reason: string;
  readonly position: number;
}

export interface Scanned {
  readonly ok: true;
  /** As long as the text: comments are spaces, and every letter within quotes is an underscore. */
  readonly text: string;
  /** By the index of the opening quote. */
  readonly strings: ReadonlyMap<number, { readonly end: number; readonly value: string }>;
}

/** The reason of a text that has nothing in it. */
export const EMPTY = 'it is empty';

/** For a person: characters count from 1. What is wrong with nothing has no place. */
export function describeFault({ reason, position }: Fault): string {
  return reason === EMPTY ? reason : `${reason}, at character ${String(position + 1)}`;
}

const LONE_SURROGATE = /\p{Surrogate}/u;
const ORDINARY = /[^"'`#]*/y;
/** What Prometheus reads outside strings and comments. */
const FOREIGN = /[^\t\n\r\x20-\x7e]/;
/** A comment ends before either. */
const LINE_END = /[\n\r]/g;

export function fault(reason: string, position: number): Fault {
  return { ok: false, reason, position };
}

/** As Prometheus writes it: what cannot be seen by its number. */
function inQuotes(text: string, at: number): string {
  const code = text.codePointAt(at) ?? 0;
  const isSeen = code > 0x20 && code !== 0x7f && !/[\p{C}\p{Z}]/u.test(String.fromCodePoint(code));
  return `'${isSeen ? String.fromCodePoint(code) : `\\u${code.toString(16).padStart(4, '0')}`}'`;
}

export function scan(text: string): Scanned | Fault {
  const lone = text.search(LONE_SURROGATE);
  if (lone !== -1) return fault('text that is no Unicode', lone);
  const strings = new Map<number, { end: number; value: string }>();
  let blanked = '';
  for (let at = 0; at < text.length;) {
    ORDINARY.lastIndex = at;
    const ordinary = ORDINARY.exec(text)?.[0] ?? '';
    const foreign = ordinary.search(FOREIGN);
    if (foreign !== -1) return fault(`unexpected character: ${inQuotes(ordinary, foreign)}`, at + foreign);
    blanked += ordinary;
    at += ordinary.length;
    if (at === text.length) break;
    if (text.charAt(at) === '#') {
      LINE_END.lastIndex = at;
      const end = LINE_END.exec(text)?.index ?? text.length;
      blanked += ' '.repeat(end - at);
      at = end;
      continue;
    }
    const literal = readLiteral(text, at);
    if ('fault' in literal) return fault(literal.fault, literal.at);
    strings.set(at, literal);
    blanked += `"${'_'.repeat(literal.end - at - 2)}"`;
    at = literal.end;
  }
  return { ok: true, text: blanked, strings };
}
