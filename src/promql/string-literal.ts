/**
 * Strings of PromQL: Go's escapes, in double, single and back quotes. What is written here reads the same to every
 * Prometheus; what cannot be said in Unicode is refused, since no label value has it.
 */

export type Literal =
  { readonly end: number; readonly value: string } | { readonly fault: string; readonly at: number };

/** Prometheus refuses it in the text of a query, as what its reader makes of bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';
const SHORT: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};
/** How many digits follow, and their base. */
const NUMERIC: Readonly<Record<string, readonly [digits: RegExp, base: number]>> = {
  x: [/^[0-9a-fA-F]{2}/, 16],
  u: [/^[0-9a-fA-F]{4}/, 16],
  U: [/^[0-9a-fA-F]{8}/, 16],
};
const OCTAL = /^[0-7]{3}/;
const LONGEST_ESCAPE = 8;

/**
 * Reads the string whose opening quote is at `start`, as Prometheus's lexEscape and strutil.Unquote do.
 * @returns the text and the position after the closing quote, or what is wrong and where
 */
export function readLiteral(text: string, start: number): Literal {
  const quote = text.charAt(start);
  if (quote === '`') return readRaw(text, start);
  const parts: (string | number)[] = [];
  for (let at = start + 1; at < text.length;) {
    const letter = text.charAt(at);
    if (letter === quote) return finish(parts, start, at + 1);
    if (letter === '\n') break;
    if (letter === REPLACEMENT) return { fault: 'text that is no Unicode', at };
    if (letter !== '\\') {
      parts.push(letter);
      at++;
      continue;
    }
    const escape = readEscape(text, at + 1, quote);
    if (escape === null) return { fault: 'an escape that strings do not have', at };
    parts.push(escape.means);
    at = escape.end;
  }
  return { fault: 'a string that does not end', at: start };
}

function readRaw(text: string, start: number): Literal {
  const close = text.indexOf('`', start + 1);
  if (close === -1) return { fault: 'a string that does not end', at: start };
  const value = text.slice(start + 1, close);
  const odd = value.indexOf(REPLACEMENT);
  return odd === -1 ? { end: close + 1, value } : { fault: 'text that is no Unicode', at: start + 1 + odd };
}

/** A text, or one byte of what must come to be UTF-8. */
function readEscape(
  text: string,
  at: number,
  quote: string,
): { readonly means: string | number; readonly end: number } | null {
  const letter = text.charAt(at);
  if (letter === quote) return { means: quote, end: at + 1 };
  const short = Object.hasOwn(SHORT, letter) ? SHORT[letter] : undefined;
  if (short !== undefined) return { means: short, end: at + 1 };
  const [digits, base] = (Object.hasOwn(NUMERIC, letter) ? NUMERIC[letter] : undefined) ?? [OCTAL, 8];
  const from = digits === OCTAL ? at : at + 1;
  const found = digits.exec(text.slice(from, from + LONGEST_ESCAPE))?.[0];
  if (found === undefined) return null;
  const code = Number.parseInt(found, base);
  const end = from + found.length;
  if (digits === OCTAL || letter === 'x') return code > 0xff ? null : { means: code, end };
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return null;
  return { means: String.fromCodePoint(code), end };
}

function finish(parts: readonly (string | number)[], start: number, end: number): Literal {
  if (parts.every((part) => typeof part === 'string')) return { end, value: parts.join('') };
  // Surrogate pairs were taken letter by letter: put together before they become bytes.
  const runs: Buffer[] = [];
  let run = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      run += part;
    } else {
      runs.push(Buffer.from(run), Buffer.of(part));
      run = '';
    }
  }
  try {
    const value = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.concat([...runs, Buffer.from(run)]),
    );
    return { end, value };
  } catch {
    return { fault: 'bytes that are no UTF-8', at: start };
  }
}

/** What cannot stand in double quotes as it is: controls, and what a reader takes for broken UTF-8. */
// eslint-disable-next-line no-control-regex
const ESCAPED = /[\\"\x00-\x1f\x7f\ufffd]/g;
const WRITTEN: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A text in double quotes, by strconv.Quote's rules as far as Prometheus 2.42 and 3.x read them alike. */
export function quote(text: string): string {
  return `"${text.replace(ESCAPED, (letter) => WRITTEN[letter] ?? hexEscape(letter))}"`;
}

function hexEscape(letter: string): string {
  const code = letter.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
}
