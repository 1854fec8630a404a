/**
 * The tree of a query → its text, written anew: one writer for each kind of node, and no text of the query but names,
 * numbers and strings that were read. A kind without a writer cannot be written.
 */
import type { SyntaxNode } from '@lezer/common';
import { SYMBOLS } from './language.ts';
import { printLabelName } from './print-selector.ts';
import { quote } from './string-literal.ts';
import { childrenOf, stringOf } from './syntax.ts';
import type { Source } from './syntax.ts';

interface Writing {
  readonly source: Source;
  /** The text of each selector, by its place in the query. */
  readonly selectors: ReadonlyMap<number, string>;
}

type Writer = (node: SyntaxNode, writing: Writing) => string;

const spaced: Writer = (node, writing) => each(node, writing).join(' ');
const joined: Writer = (node, writing) => each(node, writing).join('');
const inParentheses: Writer = (node, writing) => `(${each(node, writing).join(', ')})`;
const copied: Writer = ({ from, to }, { source }) => source.text.slice(from, to);
/** `- 1` is one number with a gap in it. */
const withoutGaps: Writer = (node, writing) => copied(node, writing).replace(/[\t\n\r ]/g, '');
const lowerCase: Writer = (node, writing) => copied(node, writing).toLowerCase();
const string: Writer = (node, { source }) => quote(stringOf(source, node) ?? impossible(node));

const WRITERS: Readonly<Record<string, Writer>> = {
  ...Object.fromEntries(Object.entries(SYMBOLS).map(([name, text]): [string, Writer] => [name, () => text])),
  AggregateExpr: spaced,
  AggregateModifier: spaced,
  AggregateOp: lowerCase,
  AtModifierPreprocessors: (node, writing) => `${joined(node, writing)}()`,
  BinaryExpr: spaced,
  BoolModifier: spaced,
  DurationExpr: joined,
  FunctionCall: joined,
  FunctionCallBody: inParentheses,
  FunctionIdentifier: (node, writing) => writing.source.renamed.get(node.from) ?? copied(node, writing),
  GroupingLabels: inParentheses,
  LabelName: copied,
  MatchingModifierClause: spaced,
  MatrixSelector: (node, writing) => {
    const [selector, range] = each(node, writing);
    return `${selector ?? ''}[${range ?? ''}]`;
  },
  NumberDurationLiteral: withoutGaps,
  NumberDurationLiteralInDurationContext: withoutGaps,
  OffsetDurationExpr: joined,
  OffsetExpr: spaced,
  ParenExpr: inParentheses,
  PromQL: joined,
  QuotedLabelName: (node, { source }) =>
    printLabelName((node.firstChild && stringOf(source, node.firstChild)) ?? impossible(node)),
  StepInvariantExpr: spaced,
  StringLiteral: string,
  SubqueryExpr: (node, writing) => {
    const [expression, range, resolution] = each(node, writing);
    return `${expression ?? ''}[${range ?? ''}:${resolution ?? ''}]`;
  },
  UnaryExpr: joined,
  UnaryOp: copied,
  VectorSelector: (node, { selectors }) => selectors.get(node.from) ?? impossible(node),
};

function each(node: SyntaxNode, writing: Writing): string[] {
  return childrenOf(node).map((child) => write(child, writing));
}

function write(node: SyntaxNode, writing: Writing): string {
  const writer = isWritten(node.name) ? WRITERS[node.name] : undefined;
  return writer === undefined ? impossible(node) : writer(node, writing);
}

/** The query was judged before (judge-query.ts). */
function impossible({ name }: SyntaxNode): never {
  throw new Error(`a query with an unjudged ${name}`);
}

/** Whether a kind of node has a writer: the closed list of what a query may consist of. */
export function isWritten(name: string): boolean {
  return Object.hasOwn(WRITERS, name);
}

/** @throws Error for a query that judgeQuery has not let pass */
export function writeQuery(source: Source, selectors: ReadonlyMap<number, string>): string {
  return write(source.tree.topNode, { source, selectors });
}
