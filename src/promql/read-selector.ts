/** A VectorSelector of the tree → a Selector, as Prometheus reads it. */
import type { SyntaxNode } from '@lezer/common';
import { METRIC_NAME_LABEL } from './language.ts';
import { fault } from './scan.ts';
import type { Fault } from './scan.ts';
import type { Matcher, MatchOperator, Selector } from './selector.ts';
import { childrenOf, stringOf } from './syntax.ts';
import type { Source } from './syntax.ts';

const OPERATORS: Readonly<Record<string, MatchOperator>> = {
  EqlSingle: '=',
  Neq: '!=',
  EqlRegex: '=~',
  NeqRegex: '!~',
};

export interface ReadSelector {
  readonly ok: true;
  readonly value: Selector;
  /** `up{__name__="x"}`: no error in `match[]`, but one in a query. */
  readonly namedTwice: boolean;
}

/**
 * The name comes first, then the matchers in their order. It stands before the braces, or quoted and alone within them
 * (`{"my.metric"}`, Prometheus 3).
 */
export function readSelector(source: Source, node: SyntaxNode): ReadSelector | Fault {
  const names: string[] = [];
  const matchers: Matcher[] = [];
  for (const child of childrenOf(node)) {
    if (child.name === 'Identifier') {
      names.push(source.text.slice(child.from, child.to));
      continue;
    }
    for (const item of childrenOf(child)) {
      const name = item.name === 'QuotedLabelName' ? quotedName(source, item) : null;
      const matcher = name === null ? readMatcher(source, item) : null;
      if (name !== null && name !== '') names.push(name);
      else if (matcher !== null) matchers.push(matcher);
      else return fault('a matcher that cannot be read', item.from);
    }
  }
  const named = matchers.some(({ label }) => label === METRIC_NAME_LABEL);
  const namedTwice = names.length > 1 || (names.length === 1 && named);
  matchers.unshift(...names.map((value): Matcher => ({ label: METRIC_NAME_LABEL, operator: '=', value })));
  return { ok: true, value: { matchers }, namedTwice };
}

function quotedName(source: Source, node: SyntaxNode): string | null {
  const literal = node.firstChild;
  return literal === null ? null : stringOf(source, literal);
}

function readMatcher(source: Source, node: SyntaxNode): Matcher | null {
  const [name, operation, literal] = childrenOf(node);
  if (name === undefined || operation === undefined || literal === undefined) return null;
  const label = name.name === 'LabelName' ? source.text.slice(name.from, name.to) : quotedName(source, name);
  const operator = OPERATORS[operation.firstChild?.name ?? ''];
  const value = stringOf(source, literal);
  if (label === null || label === '' || operator === undefined || value === null) return null;
  return { label, operator, value };
}

/**
 * Whether a selector may refuse a series without labels; Prometheus takes no other. Regular expressions are not looked
 * into: whoever adds matchers makes the selector narrow enough, and Prometheus judges them.
 */
export function mayRefuseEmpty({ matchers }: Selector): boolean {
  return matchers.some(({ operator, value }) => (operator === '=' ? value !== '' : operator !== '!=' || value === ''));
}
