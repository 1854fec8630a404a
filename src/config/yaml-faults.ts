/**
 * What is wrong with a text that is not YAML, in our words: those of the package repeat pieces of the file, which may be a
 * secret, and one slip of the pen makes dozens of them.
 */

export interface YamlFault {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly hint?: string;
  /** Offsets in the text. */
  readonly range: readonly [number, number];
}

/** As the package reports it. */
interface Reported {
  readonly code: string;
  readonly pos: readonly [number, number];
}

/** By the code of the package. */
export const SENTENCES: Readonly<Record<string, string>> = {
  ALIAS_PROPS: 'an alias cannot have an anchor or a tag',
  BAD_ALIAS: 'this alias stands for nothing: there is no such anchor before it',
  BAD_COLLECTION_TYPE: 'this tag does not fit a map or a list',
  BAD_DIRECTIVE: 'unknown YAML directive',
  BAD_DQ_ESCAPE: 'unknown escape in a double-quoted text; Windows paths go into single quotes',
  BAD_INDENT: 'this line is indented differently from those it belongs to',
  BAD_PROP_ORDER: 'anchors and tags go after the indicator',
  BAD_SCALAR_START: 'a plain text cannot begin with this character, put it into quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a map cannot begin here: put the text into quotes, or start a new line',
  BLOCK_IN_FLOW: 'no indented map or list within brackets',
  DUPLICATE_KEY: 'this key is there twice',
  KEY_OVER_1024_CHARS: 'a key of more than 1024 characters',
  MISSING_CHAR: 'something is missing here: a closing quote or bracket, a comma, or a space after a colon',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line: is a colon missing?',
  MULTIPLE_ANCHORS: 'two anchors on one value',
  MULTIPLE_DOCS: 'more than one document: only one is read',
  MULTIPLE_TAGS: 'two tags on one value',
  TAB_AS_INDENT: 'a tab as indentation, use spaces',
  TAG_RESOLVE_FAILED: 'this tag has no meaning here and is ignored',
};

/** `listen_addresses: [[::]:9095]`: the brackets of an IPv6 address begin a list. */
export function unquotedAddress(text: string, at: number): YamlFault | null {
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const [line = ''] = text.slice(lineStart).split('\n', 1);
  for (const { index, 0: address } of line.matchAll(/\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]:\d{1,5}/g)) {
    const start = lineStart + index;
    if (at < start || at > start + address.length || /["']/.test(text[start - 1] ?? '')) continue;
    const hint = `write "${address}"`;
    const message = 'an IPv6 address in brackets is a list to YAML, put it into quotes';
    return { severity: 'error', message, hint, range: [start, start + address.length] };
  }
  return null;
}

export function collectionKey(at: number): YamlFault {
  return {
    severity: 'error',
    message: 'a map or a list stands where a key belongs',
    hint: 'was a template not rendered? `{{ … }}` is a map to YAML, unless it stands in quotes',
    range: [at, at + 1],
  };
}

/** One fault in our words; `isLast` when whatever is reported behind it comes of it. */
interface Told {
  readonly fault: YamlFault;
  readonly isLast: boolean;
}

function told(text: string, { code, pos }: Reported): Told {
  const [at] = pos;
  const error = (message: string, range: readonly [number, number], hint?: string): YamlFault => {
    return { severity: 'error', message, range, ...(hint === undefined ? {} : { hint }) };
  };
  const address = code === 'UNEXPECTED_TOKEN' ? unquotedAddress(text, at) : null;
  if (address !== null) return { fault: address, isLast: true };
  const sign = text[at] ?? '';
  if (sign === '}' || sign === ']') {
    return {
      fault: error(`this ${sign} closes nothing: it is one too many, or not the one that is open`, [at, at + 1]),
      isLast: true,
    };
  }
  if (code === 'BLOCK_AS_IMPLICIT_KEY' || code === 'MULTILINE_IMPLICIT_KEY') {
    const fault = strayLine(text, pos);
    if (fault !== null) return { fault, isLast: false };
  }
  if (code === 'BAD_SCALAR_START') {
    const [word = ''] = /^@[a-z]{1,16}/.exec(text.slice(at, at + 17)) ?? [];
    if (word !== '')
      return { fault: error(SENTENCES[code] ?? '', [at, at + word.length], `write '${word}'`), isLast: false };
    const isTemplate = sign === '%' && text[at - 1] === '{';
    const hint = isTemplate ? 'was a template not rendered?' : undefined;
    return { fault: error(SENTENCES[code] ?? '', [at, at + 1], hint), isLast: isTemplate };
  }
  if (/^\{[{%]/.test(text.slice(at, at + 2))) {
    const message = 'this is not YAML: `{{` and `{%` are signs of a template';
    return { fault: error(message, [at, at + 2], 'was a template not rendered?'), isLast: true };
  }
  if (code === 'MISSING_CHAR' && sign === '{' && /\w/.test(text[at - 1] ?? '')) {
    const hint = `a selector stands in quotes: '…{job="node"}'`;
    return { fault: error(SENTENCES[code] ?? '', [at, at + 1], hint), isLast: false };
  }
  // The first character of the line that is not indented as it should be, not the space before it.
  const shown =
    code === 'BAD_INDENT' || code === 'MISSING_CHAR'
      ? at + (/^[ \t]*(?=\S)/.exec(text.slice(at))?.[0].length ?? 0)
      : at;
  const isItem = code === 'MISSING_CHAR' && shown > at;
  const message = SENTENCES[isItem ? 'BAD_INDENT' : code] ?? 'this is not YAML';
  const word = /^[\w.-]{1,64}/.exec(text.slice(shown, shown + 64))?.[0];
  const end = word !== undefined ? shown + word.length : shown > at ? shown + 1 : Math.max(pos[1], shown);
  return { fault: error(message, [shown, end]), isLast: code === 'UNEXPECTED_TOKEN' };
}

/** A text that goes on in the next line, which has a colon: the place is that line, or the first when it has no colon of its own. */
function strayLine(text: string, [start, end]: Reported['pos']): YamlFault | null {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const [line = ''] = text.slice(lineStart).split('\n', 1);
  const glued = /^\s*(?:- )*["']?([\w-]+)["']?:(?=[^\s/])/.exec(line);
  if (glued !== null && start < lineStart + glued[0].length) {
    const at = lineStart + glued[0].length - 1;
    const message = 'a space is missing behind the colon';
    return { severity: 'error', message, range: [at, at + 1] };
  }
  const hasKey =
    /^\s*(?:- +)*["']?[\w-]+["']?:\s+\S/.test(line) && start > lineStart + line.length - line.trimStart().length;
  const newline = text.indexOf('\n', start);
  if (/:(?:\s|$)/.test(text.slice(start, Math.max(newline, start)))) return null;
  if (!hasKey || newline === -1 || (end <= newline && end > start + 1)) return null;
  const next = newline + 1 + (/^\s*/.exec(text.slice(newline + 1))?.[0].length ?? 0);
  const word = /^[\w.-]{1,64}/.exec(text.slice(next, next + 64))?.[0] ?? ' ';
  const message = 'this line is indented deeper than the one before it, which has a value already';
  return { severity: 'error', message, range: [next, next + word.length] };
}

/**
 * The faults of a text in the order of the text: the first of each kind, and how many there are beside. `unclosed` is a
 * bracket or a quote that nothing closes: whatever is wrong behind it is wrong because of it.
 */
export function syntaxFaults(text: string, reported: readonly Reported[], unclosed?: YamlFault): YamlFault[] {
  const inOrder = [...reported].sort((a, b) => a.pos[0] - b.pos[0]);
  // `[{a: b}}]`: what the extra brace ends is not closed because of it.
  const stray = inOrder.find(({ pos }) => isStray(text, pos[0], unclosed));
  const open = stray === undefined ? unclosed : undefined;
  const shown: YamlFault[] = open === undefined ? [] : [open];
  let last = open?.range[0] ?? Infinity;
  let more = 0;
  let before = -1;
  for (const one of inOrder) {
    const { fault, isLast } = told(text, one);
    if (one.pos[0] > last) {
      if (open === undefined) more += 1;
      continue;
    }
    // One place may be reported twice.
    if (one.pos[0] === before) continue;
    before = one.pos[0];
    // Nothing is wrong with a key that is there twice but that one must go: each is said.
    const isSaid = one.code !== 'DUPLICATE_KEY' && shown.some(({ message }) => message === fault.message);
    if (isSaid) more += 1;
    else shown.push(fault);
    if (isLast) last = one.pos[0];
  }
  if (reported.every(({ code }) => code === 'DUPLICATE_KEY')) return shown;
  return withRest(shown, more);
}

/** A closing bracket that is not the one of the bracket that is open. */
function isStray(text: string, at: number, unclosed: YamlFault | undefined): boolean {
  const opened = unclosed === undefined ? '' : text[unclosed.range[0]];
  return (opened === '[' && text[at] === '}') || (opened === '{' && text[at] === ']');
}

/** Says on the last fault what is not said of the rest. */
function withRest(shown: readonly YamlFault[], more: number): YamlFault[] {
  return shown.map((fault, index) => {
    if (index < shown.length - 1) return fault;
    const others = more === 0 ? [] : [`and ${String(more)} more of this kind behind it`];
    const own = fault.hint === undefined ? [] : [fault.hint];
    return { ...fault, hint: [...own, ...others, 'keys and values are judged once the file is YAML'].join('; ') };
  });
}
