/** What a series selector is once it is read. Types only: read by parse-selector.ts, written by print-selector.ts. */

export type MatchOperator = '=' | '!=' | '=~' | '!~';

export interface Matcher {
  /** A label name; `__name__` for the metric's. */
  readonly label: string;
  readonly operator: MatchOperator;
  /** Unquoted. For `=~` and `!~` a regular expression in RE2's syntax, anchored at both ends as Prometheus does. */
  readonly value: string;
}

/** Series for which every matcher holds. Never empty. */
export interface Selector {
  readonly matchers: readonly Matcher[];
}
