/** Contract of an upstream that the gate serves itself (`url: self`). */
import type { Answer } from './answer.ts';

export interface Question {
  readonly method: string;
  /** The path below the upstream's prefix. */
  readonly path: string;
  /** The raw query without `?`, in the form in which it was judged. */
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** `signal.gone` turns true when the client has left. */
export type ServedUpstream = (question: Question, answer: Answer) => void;
