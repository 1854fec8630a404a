/**
 * Rules, alerts and targets of a Prometheus: the JSON is collected, read, and written anew with what may be seen. What
 * is too large, does not parse or has another shape is 502.
 */
import type { Answer } from '../answer.ts';
import type { AnswerFilter } from '../question.ts';
import { FilteredAnswer, isTold } from './filtered-answer.ts';
import type { ReadyRestriction } from './restriction.ts';
import { visibleData } from './visible-data.ts';
import type { FilteredData } from './visible-data.ts';

const JSON_TYPE = 'application/json';
/** Bytes that are collected at most. */
export const LARGEST_JSON = 16 * 1_048_576;
const LONGEST_ERROR = 1024;

export function jsonFilter(of: FilteredData, restriction: Pick<ReadyRestriction, 'allows'>): AnswerFilter {
  return { accept: JSON_TYPE, over: (answer) => new FilteredJson(answer, of, restriction) };
}

class FilteredJson extends FilteredAnswer {
  readonly #of: FilteredData;
  readonly #restriction: Pick<ReadyRestriction, 'allows'>;
  #status = 0;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(answer: Answer, of: FilteredData, restriction: Pick<ReadyRestriction, 'allows'>) {
    super(answer);
    this.#of = of;
    this.#restriction = restriction;
  }

  protected begin(status: number, type: string): void {
    this.#status = status;
    if (status < 400 && status !== 200) this.unreadable(`the upstream answered ${String(status)}`);
    else if (type !== JSON_TYPE)
      this.unreadable(`the upstream answered ${String(status)} with something else than JSON`);
  }

  protected take(chunk: Uint8Array): boolean {
    this.#size += chunk.length;
    if (this.#size > LARGEST_JSON) {
      this.#chunks = [];
      this.unreadable(`the upstream's answer has more than ${String(LARGEST_JSON)} bytes`);
      return false;
    }
    this.#chunks.push(Buffer.from(chunk));
    return true;
  }

  protected finish(): void {
    const read = parsedJson(Buffer.concat(this.#chunks));
    this.#chunks = [];
    if (this.#status === 200) this.#answerWith(read);
    else this.#passError(read);
  }

  #answerWith(read: unknown): void {
    if (!isRecord(read) || read['status'] !== 'success') {
      this.unreadable('the upstream answered with something else than Prometheus does');
      return;
    }
    const data = visibleData(this.#of, read['data'], (labels) => this.#restriction.allows(labels));
    if (data === null) this.unreadable(`the ${this.#of} of the upstream have a shape that is not known`);
    else this.#tell(200, { status: 'success', data });
  }

  /** Prometheus's own error, and of it only what it is known to have. */
  #passError(read: unknown): void {
    const { status, errorType, error } = isRecord(read) ? read : {};
    if (isTold(this.#status) && status === 'error' && typeof errorType === 'string' && typeof error === 'string') {
      this.#tell(this.#status, { status, errorType, error: error.slice(0, LONGEST_ERROR) });
    } else {
      this.unreadable(`the upstream answered ${String(this.#status)}`);
    }
  }

  #tell(status: number, body: object): void {
    this.send(status, JSON_TYPE, Buffer.from(JSON.stringify(body)));
  }
}

function parsedJson(text: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)) as unknown;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
