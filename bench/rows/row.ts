/** What a row of the bench is: work, goals, and what was measured of it. */
import type { Lab } from '../lab.ts';

export interface Verdict {
  readonly goal: string;
  readonly measured: string;
  /** null: there is nothing to reach. */
  readonly met: boolean | null;
}

export interface Finding {
  readonly verdicts: readonly Verdict[];
  readonly header: readonly string[];
  readonly lines: readonly (readonly string[])[];
  readonly notes?: readonly string[];
}

export interface Row {
  /** For `--only`, and the anchor in docs/benchmarks.md. */
  readonly name: string;
  readonly title: string;
  /** One sentence or two: what is done, and what is counted. */
  readonly method: string;
  readonly run: (lab: Lab) => Promise<Finding>;
}

export function atLeast(goal: number, ratio: number, what: string, shown: string): Verdict {
  return { goal: `≥ ${goal} × ${what}`, measured: shown, met: ratio >= goal };
}

export function atMost(goal: string, limit: number, value: number, shown: string): Verdict {
  return { goal: `≤ ${goal}`, measured: shown, met: value <= limit };
}
