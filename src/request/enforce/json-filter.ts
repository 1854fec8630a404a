/**
 * Rules, alerts and targets of a Prometheus: the JSON is collected and narrowed as a whole. What is too large, does not
 * parse or has another shape is 502.
 */
import type { Answer } from '../answer.ts';
import type { AnswerFilter } from '../question.ts';
import { FilteredAnswer } from './filtered-answer.ts';
import type { JsonAnswer, UpstreamJson } from './narrow-json.ts';
import type { FilteredData } from './visible-data.ts';

const JSON_TYPE = 'application/json';
/** Bytes that are collected at most. */
export const LARGEST_JSON = 16 * 1_048_576;

/** Of all answers that one identity is having collected. */
const MOST_HELD = 4 * LARGEST_JSON;

export interface JsonNarrowing {
  /** Calls back once, at once or later. */
  narrow(json: UpstreamJson, done: (answer: JsonAnswer) => void): void;
  /** What the answers of the identity hold. */
  readonly held: { bytes: number };
}

export function jsonFilter(of: FilteredData, narrowing: JsonNarrowing): AnswerFilter {
  return { accept: JSON_TYPE, over: (answer) => new FilteredJson(answer, of, narrowing) };
}

class FilteredJson extends FilteredAnswer {
  readonly #of: FilteredData;
  readonly #narrowing: JsonNarrowing;
  #status = 0;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(answer: Answer, of: FilteredData, narrowing: JsonNarrowing) {
    super(answer);
    this.#of = of;
    this.#narrowing = narrowing;
    answer.onClose(() => {
      narrowing.held.bytes -= this.#size;
      this.#size = 0;
    });
  }

  protected begin(status: number, type: string): void {
    this.#status = status;
    if (status < 400 && status !== 200) this.unreadable(`the upstream answered ${String(status)}`);
    else if (type !== JSON_TYPE)
      this.unreadable(`the upstream answered ${String(status)} with something else than JSON`);
  }

  protected take(chunk: Uint8Array): boolean {
    const { held } = this.#narrowing;
    this.#size += chunk.length;
    held.bytes += chunk.length;
    if (held.bytes > MOST_HELD) {
      this.#chunks = [];
      this.answer.cut('narrowing_busy', 'answers of the identity hold too much memory');
      return false;
    }
    if (this.#size > LARGEST_JSON) {
      this.#chunks = [];
      this.unreadable(`the upstream's answer has more than ${String(LARGEST_JSON)} bytes`);
      return false;
    }
    this.#chunks.push(Buffer.from(chunk));
    return true;
  }

  protected finish(): void {
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#narrowing.narrow({ of: this.#of, status: this.#status, bytes }, (answer) => {
      if (this.closed) return;
      if (answer.kind === 'unreadable') this.unreadable(answer.detail);
      else
        this.send(
          answer.status,
          JSON_TYPE,
          Buffer.from(answer.body.buffer, answer.body.byteOffset, answer.body.length),
        );
    });
  }
}
