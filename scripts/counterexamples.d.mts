export interface Report {
  readonly testResults: readonly {
    /** The absolute path of the file. */
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

export interface Counterexample {
  readonly file: string;
  readonly test: string;
  readonly text: string;
}

export function counterexamples(report: Report, root: string): Counterexample[];
