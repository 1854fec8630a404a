/** Work of this step that may take longer than a few milliseconds, as data that goes to a worker thread and back. Pure. */
import { judgeQuestion } from './judge.ts';
import type { Asked, EnforceVerdict } from './judge.ts';
import { narrowJson } from './narrow-json.ts';
import type { JsonAnswer } from './narrow-json.ts';
import type { Enforcement } from './restriction.ts';
import type { FilteredData } from './visible-data.ts';

export type NarrowingJob =
  | { readonly kind: 'question'; readonly asked: Asked }
  | { readonly kind: 'json'; readonly of: FilteredData; readonly status: number; readonly bytes: Uint8Array };

export type NarrowingResult =
  /** The question without a filter: a function does not travel. */
  | { readonly kind: 'question'; readonly verdict: EnforceVerdict }
  | { readonly kind: 'json'; readonly answer: JsonAnswer };

/** What goes to the worker: the job, and the rule's place in the list that it was started with. */
export interface NarrowingRequest {
  readonly id: number;
  readonly rule: number;
  readonly job: NarrowingJob;
}

export interface NarrowingReply {
  readonly id: number;
  /** null: a defect. */
  readonly result: NarrowingResult | null;
}

export function doNarrowing(job: NarrowingJob, enforcement: Enforcement): NarrowingResult {
  if (job.kind === 'json') {
    const { restriction } = enforcement;
    if (restriction === null) throw new Error('an answer to narrow for an identity that may see everything');
    return { kind: 'json', answer: narrowJson(job, (labels) => restriction.allows(labels)) };
  }
  const { form } = job.asked;
  // A Buffer arrives as the bytes that it is.
  const asked = { ...job.asked, form: form === null ? null : Buffer.from(form) };
  const verdict = judgeQuestion(asked, enforcement);
  if (verdict.kind !== 'ask') return { kind: 'question', verdict };
  return { kind: 'question', verdict: { kind: 'ask', question: { ...verdict.question, filter: null } } };
}
