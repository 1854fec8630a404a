/** What `init` is going to do: everything is decided and made in memory before the first byte is written. */

/** A file to write. They are written in order; an interruption leaves a beginning of the list, which `init` completes. */
export interface Write {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** false: it must not be there; true: it is there, is ours and is renewed. */
  readonly replace: boolean;
}

/** Something that only the operator can resolve: nothing is written while there is one. */
export interface Obstacle {
  readonly message: string;
  readonly hint: string;
}

export interface Plan {
  readonly writes: readonly Write[];
  readonly warnings: readonly string[];
  readonly obstacles: readonly Obstacle[];
}

export const NOTHING_TO_DO: Plan = { writes: [], warnings: [], obstacles: [] };

export function joinPlans(plans: readonly Plan[]): Plan {
  return {
    writes: plans.flatMap(({ writes }) => writes),
    warnings: plans.flatMap(({ warnings }) => warnings),
    obstacles: plans.flatMap(({ obstacles }) => obstacles),
  };
}

export function newFile(path: string, text: string, mode: number): Write {
  return { path, text, mode, replace: false };
}
