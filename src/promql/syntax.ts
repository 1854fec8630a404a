/** A query's text → its tree, by Prometheus's own grammar for editors. Whatever is no query has no tree: nothing is mended. */
import { parser } from '@prometheus-io/lezer-promql';
import type { SyntaxNode, Tree } from '@lezer/common';
import { adapt } from './adapt.ts';
import type { Adapted } from './adapt.ts';
import { EMPTY, fault, scan } from './scan.ts';
import type { Fault, Scanned } from './scan.ts';

export interface Source extends Scanned, Pick<Adapted, 'renamed'> {
  readonly tree: Tree;
}

/** By default it mends what it cannot read; strict, it throws at the first token that does not fit. */
const strict = parser.configure({ strict: true });

const DEEPEST_PARENTHESES = 128;
export const TOO_DEEP = 'nested too deeply: at most 128 parentheses, 500 levels, and 500 operators in a row';

/** @param longest the most UTF-16 units that are read at all */
export function readSyntax(text: string, longest: number): Source | Fault {
  if (text.length > longest) return fault(`longer than ${String(longest)} characters`, longest);
  const scanned = scan(text);
  if (!scanned.ok) return scanned;
  const tooDeep = firstDeeper(scanned.text);
  if (tooDeep !== -1) return fault(TOO_DEEP, tooDeep);
  const adapted = adapt(scanned.text);
  if (!adapted.ok) return adapted;
  try {
    const tree = parse(adapted.text);
    return tree === null ? fault(TOO_DEEP, 0) : { ...scanned, ...adapted, tree };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const position = positionOf(error, text);
    return fault(misfit(scanned.text, position), position);
  }
}

/**
 * In a long text the parser ends a chain of operators by force where it has some 200 of them, and then stumbles over the next:
 * it means to keep trees from becoming too deep for who walks them by recursion. Here longer ones are read, and a bound of
 * our own tells what they are.
 */
const LONGEST_CHAIN = 2_000;

/** @returns null for a chain that is too long. @throws SyntaxError for what is no query */
function parse(text: string): Tree | null {
  // The parser's own count of what it has put together at one place since it began there (@lezer/lr).
  const parsing = strict.startParse(text) as ReturnType<typeof strict.startParse> & { bigReductionCount?: number };
  let chain = 0;
  for (;;) {
    const tree = parsing.advance();
    if (tree !== null) return tree;
    const { bigReductionCount = 0 } = parsing;
    if (bigReductionCount <= 100) continue;
    chain += bigReductionCount;
    if (chain > LONGEST_CHAIN) return null;
    parsing.bigReductionCount = 0;
  }
}

/** Where the parentheses are deeper than the parser reads in decent time: for `sum(sum(…` it grows with the square. */
function firstDeeper(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === '(' && ++depth > DEEPEST_PARENTHESES) return at;
    if (letter === ')') depth--;
  }
  return -1;
}

const LONGEST_TOKEN = 32;
/** A word, a number, or one character. */
const TOKEN = /[\w:.]+|\S/y;
const OPENING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** Why the text does not go on as it should. */
function misfit(text: string, position: number): string {
  if (text.trim() === '') return EMPTY;
  if (text.slice(position).trim() === '') {
    const open = lastOpen(text);
    return `the text ends too early${open === null ? '' : ` within "${open}"`}`;
  }
  TOKEN.lastIndex = position + text.slice(position).search(/\S/);
  const token = TOKEN.exec(text)?.[0] ?? '';
  return token === '"' ? 'unexpected string' : `unexpected ${quoteToken(token)}`;
}

/** The bracket that is still open at the end. */
function lastOpen(text: string): string | null {
  const open: string[] = [];
  for (const letter of text) {
    if (letter in OPENING) open.push(letter);
    else if (OPENING[open.at(-1) ?? ''] === letter) open.pop();
  }
  return open.at(-1) ?? null;
}

/** Part of a scanned text, for a message. */
export function quoteToken(token: string): string {
  const short = token.length > LONGEST_TOKEN ? `${token.slice(0, LONGEST_TOKEN)}…` : token;
  return `"${short.replace(/[\t\n\r]/g, ' ')}"`;
}

/** The parser tells the position only in words. */
function positionOf({ message }: SyntaxError, text: string): number {
  const position = Number(/ at (\d+)$/.exec(message)?.[1] ?? 0);
  return Math.min(position, text.length);
}

export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
  return children;
}

/** The text of a string, or null where the grammar takes something for a string that is none. */
export function stringOf({ strings }: Source, node: SyntaxNode): string | null {
  const literal = strings.get(node.from);
  return literal?.end === node.to ? literal.value : null;
}
