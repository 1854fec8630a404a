/** Contract of an upstream that the gate serves itself (`url: self`). */
import type { Answer } from './answer.ts';

export interface Question {
  /** Who asks: what takes long is done for one question of each at a time. */
  readonly party: string;
  readonly method: string;
  /** The path below the upstream's prefix. */
  readonly path: string;
  /** The raw query without `?`, in the form in which it was judged. */
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type ServedUpstream = (question: Question, answer: Answer) => void;
