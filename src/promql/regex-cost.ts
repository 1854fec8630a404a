/**
 * What compiling a regular expression costs, told from its text alone: `(a{1000}b?){1000}` is short, its program is not.
 * An upper bound, in instructions of about three microseconds each.
 */

/** `\pL` stands for six hundred ranges. */
const UNICODE_CLASS = 300;
/** Letter by letter through a range, for the other case of each. */
const FOLDED_RANGE = 2_000;
const FOLDING = 4;
const WIDE_RANGE = /-(?:\\x\{|[^\x00-\x7f])/g; // eslint-disable-line no-control-regex
const FOLDS = /\(\?[a-zA-Z]*i/;
const REPEAT = /\{(\d{1,4})(,?)(\d{0,4})\}/y;
const LONG_ESCAPE = /x\{[^}]*\}?|[pP](?:\{[^}]*\}?|.)/suy;

/** Of RE2's syntax only what decides where groups and classes end; a pattern that RE2 refuses has some cost, too. */
export function regexCost(pattern: string): number {
  /** The cost before each open group. */
  const open: number[] = [];
  let cost = 0;
  /** The part of it that a following repetition repeats. */
  let last = 0;
  const add = (amount: number) => {
    cost += amount;
    last = amount;
  };
  for (let at = 0; at < pattern.length;) {
    const letter = pattern.charAt(at);
    const end = endOf(pattern, at);
    if (letter === '(') {
      cost++;
      open.push(cost - 1);
    } else if (letter === ')') {
      cost++;
      last = cost - (open.pop() ?? 0);
    } else if (letter === '{') {
      const repeated = repeatedCost(pattern, at, last);
      if (repeated === null) add(1);
      else cost += repeated - last;
      last = repeated ?? 1;
    } else if (letter === '|' || letter === '*' || letter === '+' || letter === '?') {
      cost++;
      last++;
    } else if (letter === '\\' && /[pP]/.test(pattern.charAt(at + 1))) {
      add(UNICODE_CLASS);
    } else {
      const unicode = letter === '[' ? (pattern.slice(at, end).match(/\\[pP]/g)?.length ?? 0) : 0;
      add(end - at + unicode * UNICODE_CLASS);
    }
    at = end;
  }
  if (!FOLDS.test(pattern)) return cost;
  return cost * FOLDING + (pattern.match(WIDE_RANGE)?.length ?? 0) * FOLDED_RANGE;
}

/** What becomes of an item's cost by the repetition after it; null: it is none. */
function repeatedCost(pattern: string, at: number, cost: number): number | null {
  REPEAT.lastIndex = at;
  const [, least, comma, most] = REPEAT.exec(pattern) ?? [];
  if (least === undefined) return null;
  // An item that may be left out is one instruction more.
  return comma === '' ? cost * Number(least) : (cost + 1) * (Math.max(Number(least), Number(most)) + 1);
}

/** The end of the item that begins at `at`: a letter, an escape, a quotation, a class, a repetition. */
function endOf(pattern: string, at: number): number {
  const letter = pattern.charAt(at);
  if (letter === '[') return classEnd(pattern, at);
  if (letter === '{') {
    REPEAT.lastIndex = at;
    return at + (REPEAT.exec(pattern)?.[0].length ?? 1);
  }
  if (letter !== '\\') return at + 1;
  if (pattern.charAt(at + 1) === 'Q') {
    const close = pattern.indexOf('\\E', at + 2);
    return close === -1 ? pattern.length : close + 2;
  }
  LONG_ESCAPE.lastIndex = at + 1;
  return at + 1 + (LONG_ESCAPE.exec(pattern)?.[0].length ?? 1);
}

/** A `]` at the beginning is itself; `[:alpha:]` is one item. */
function classEnd(pattern: string, start: number): number {
  let at = start + (pattern.charAt(start + 1) === '^' ? 2 : 1);
  for (let first = true; at < pattern.length; first = false) {
    const letter = pattern.charAt(at);
    if (letter === ']' && !first) return at + 1;
    const close = letter === '[' && pattern.charAt(at + 1) === ':' ? pattern.indexOf(':]', at + 2) : -1;
    if (close !== -1) at = close + 2;
    else at += letter === '\\' ? 2 : 1;
  }
  return pattern.length;
}
