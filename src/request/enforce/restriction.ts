/**
 * A restriction, made ready once per configuration: a predicate over series, the conjunction that a query gets, and the
 * text under which answers are shared. Pure.
 */
import type { IdentityRule, Restriction } from '../../config/config.ts';
import { compile, compileMatchers, compileMayMatch } from '../../promql/matches.ts';
import type { ValuesOf } from '../../promql/matches.ts';
import { printSelector } from '../../promql/print-selector.ts';
import type { Matcher, Selector } from '../../promql/selector.ts';
import { narrownessOf } from './denied-selectors.ts';
import type { Narrowness } from './denied-selectors.ts';

/** The value of a label; undefined when the series has no such label. */
export type LabelsOf = (name: string) => string | undefined;

export interface ReadyRestriction {
  readonly match: readonly Selector[];
  readonly labels: readonly Matcher[];
  readonly exporterPage: Restriction['exporterPage'];
  /** Whether a series may be seen. */
  allows(labels: LabelsOf): boolean;
  /** Whether a series of which only some labels are known is certainly not to be seen. */
  excludes(known: ValuesOf): boolean;
  /** What every selector of a query gets; null when one conjunction cannot say it. */
  readonly conjunction: readonly Matcher[] | null;
  /** Canonical: two restrictions with the same text let the same series be seen. Never empty. */
  readonly text: string;
}

/** What enforce does to one identity. */
export interface Enforcement {
  /** null: it may see every series, and only `denied` applies. */
  readonly restriction: ReadyRestriction | null;
  readonly denied: readonly Narrowness[];
}

/** @returns null for an identity that this step leaves alone. */
export function enforcementOf({ restriction, denyMatch }: IdentityRule): Enforcement | null {
  if (restriction === null && denyMatch.length === 0) return null;
  return {
    restriction: restriction === null ? null : readyRestriction(restriction),
    denied: denyMatch.map(narrownessOf),
  };
}

/** @throws Error for a restriction that restricts nothing: a defect, the configuration is judged before. */
function readyRestriction({ match, labels, exporterPage }: Restriction): ReadyRestriction {
  if (match.length === 0 && labels.length === 0) throw new Error('a restriction without match and labels');
  const byLabels = compileMatchers(labels);
  const bySelector = match.map((selector) => compile(selector));
  const mayHaveLabels = compileMayMatch(labels);
  const mayBeSelected = match.map(({ matchers }) => compileMayMatch(matchers));
  return {
    match,
    labels,
    exporterPage,
    allows: (series) => byLabels(series) && (bySelector.length === 0 || bySelector.some((matches) => matches(series))),
    excludes: (known) =>
      !mayHaveLabels(known) || (mayBeSelected.length > 0 && !mayBeSelected.some((mayMatch) => mayMatch(known))),
    conjunction: match.length > 1 ? null : [...(match[0]?.matchers ?? []), ...labels],
    text: textOf(match.map(printSelector).sort(), labels),
  };
}

/** Quoted values end where they end: no value looks like another selector. */
function textOf(selectors: readonly string[], labels: readonly Matcher[]): string {
  const either = selectors.length > 1 && labels.length > 0 ? `(${selectors.join(' or ')})` : selectors.join(' or ');
  return [either, ...(labels.length === 0 ? [] : [printSelector({ matchers: labels })])]
    .filter((part) => part !== '')
    .join(' and ');
}
