/**
 * Contract: the question that enforce writes for an identity that may not see everything. For such an identity nothing of
 * the request's query or body goes upstream but this: it is never an edited copy of what came.
 */
import type { Answer } from './answer.ts';

export interface WrittenQuestion {
  readonly method: 'GET' | 'POST';
  /** The raw query without `?`, in our own serialisation. */
  readonly query: string;
  /** `application/x-www-form-urlencoded`, in our own serialisation; null: there is none. */
  readonly body: Buffer | null;
  /** The series that may be seen, as text: part of the key under which an answer is shared. Never empty. */
  readonly enforced: string;
  /** How the answer is narrowed where the question cannot be; null: it passes as it is. */
  readonly filter: AnswerFilter | null;
}

export interface AnswerFilter {
  /** The Accept header of the upstream request: what the filter can read. Accept-Encoding is identity then. */
  readonly accept: string;
  /** An Answer that filters what is written to it into the given one. It never passes on what it cannot read (502). */
  over(answer: Answer): Answer;
}
