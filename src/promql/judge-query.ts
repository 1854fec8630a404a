/** Whether a query consists of nothing but what is listed (language.ts, write-query.ts), and which series it selects. */
import type { SyntaxNodeRef, Tree } from '@lezer/common';
import { AGGREGATIONS, FUNCTIONS } from './language.ts';
import { mayRefuseEmpty, readSelector } from './read-selector.ts';
import { fault } from './scan.ts';
import type { Fault } from './scan.ts';
import type { Selector } from './selector.ts';
import { quoteToken, readSyntax, stringOf, TOO_DEEP } from './syntax.ts';
import type { Source } from './syntax.ts';
import { isWritten } from './write-query.ts';

/** Levels of the tree: the writer goes down as many calls. A chain of binary operators is as deep as it is long. */
const DEEPEST = 500;
const MOST_SELECTORS = 500;

export interface JudgedQuery {
  readonly ok: true;
  readonly source: Source;
  /** By its place in the query, in the order of the text. */
  readonly selectors: ReadonlyMap<number, Selector>;
}

/** @param longest in UTF-16 units */
export function judgeQuery(query: string, longest: number): JudgedQuery | Fault {
  const source = readSyntax(query, longest);
  if (!source.ok) return source;
  const selectors = new Map<number, Selector>();
  const found = firstFault(source.tree, (node) => judgeNode(source, node, selectors));
  return found ?? { ok: true, source, selectors };
}

/** Kinds that are judged as a whole. */
const LEAVES: ReadonlySet<string> = new Set(['AggregateOp', 'FunctionIdentifier', 'VectorSelector']);

/** From the root down, in the order of the text. */
function firstFault(tree: Tree, judge: (node: SyntaxNodeRef) => Fault | null): Fault | null {
  const cursor = tree.cursor();
  for (let depth = 0; ;) {
    const found = depth === DEEPEST ? fault(TOO_DEEP, cursor.from) : judge(cursor);
    if (found !== null) return found;
    if (!LEAVES.has(cursor.name) && cursor.firstChild()) {
      depth++;
      continue;
    }
    while (!cursor.nextSibling()) {
      if (!cursor.parent()) return null;
      depth--;
    }
  }
}

function judgeNode(source: Source, node: SyntaxNodeRef, selectors: Map<number, Selector>): Fault | null {
  const { name, from, to } = node;
  if (!isWritten(name)) return fault(`${quoteToken(source.text.slice(from, to))} is not allowed here`, from);
  switch (name) {
    case 'VectorSelector': {
      const selector = readSelector(source, node.node);
      if (!selector.ok) return selector;
      if (selector.namedTwice) return fault('the metric name is set twice', from);
      if (!mayRefuseEmpty(selector.value))
        return fault('a selector needs a matcher that the empty text does not match', from);
      if (selectors.size === MOST_SELECTORS) return fault(`more than ${String(MOST_SELECTORS)} selectors`, from);
      selectors.set(from, selector.value);
      return null;
    }
    case 'FunctionIdentifier':
      return source.renamed.has(from) ? null : listed(FUNCTIONS, source.text.slice(from, to), from);
    case 'AggregateOp':
      return listed(AGGREGATIONS, source.text.slice(from, to).toLowerCase(), from);
    case 'StringLiteral':
      return stringOf(source, node.node) === null ? fault('not a string', from) : null;
    case 'QuotedLabelName':
      return node.node.parent?.name === 'GroupingLabels' && to - from === 2 ? fault('an empty label name', from) : null;
    case 'DurationExpr':
    case 'OffsetDurationExpr':
      return isPlainDuration(node) ? null : fault('arithmetic with durations', from);
    default:
      return null;
  }
}

function listed(list: ReadonlySet<string>, name: string, position: number): Fault | null {
  return list.has(name) ? null : fault(`${name}() is not allowed here`, position);
}

/** A number, or for an offset one with a sign. */
function isPlainDuration({ name, node }: SyntaxNodeRef): boolean {
  const first = node.firstChild?.name;
  if (first === 'NumberDurationLiteralInDurationContext') return true;
  return name === 'OffsetDurationExpr' && first === 'UnaryOp';
}
