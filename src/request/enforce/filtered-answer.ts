/**
 * An Answer that lets through only what a filter has made of the upstream's answer. Neither the upstream's headers nor
 * its words on errors reach the client; what cannot be read is 502, or a cut when the answer has begun.
 */
import type { Answer, AnswerHeaders, RefusalDetails } from '../answer.ts';
import type { DenyReason } from '../deny-reasons.ts';

type Collected = AnswerHeaders[string] | undefined;

export abstract class FilteredAnswer implements Answer {
  protected readonly answer: Answer;
  #opened = false;

  constructor(answer: Answer) {
    this.answer = answer;
  }

  /** Whether the upstream has answered; the client may not have heard of it yet. */
  get opened(): boolean {
    return this.#opened;
  }

  get closed(): boolean {
    return this.answer.closed;
  }

  open(status: number, headers: AnswerHeaders): void {
    if (this.#opened || this.closed) return;
    this.#opened = true;
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && String(encoding).toLowerCase() !== 'identity') {
      this.unreadable('the upstream compressed what was asked for uncompressed');
    } else {
      this.begin(status, mediaType(headers['content-type']), headers['content-type']);
    }
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#opened || this.closed) return false;
    return this.take(chunk);
  }

  end(): void {
    if (this.#opened && !this.closed) this.finish();
  }

  onDrain(callback: () => void): void {
    this.answer.onDrain(callback);
  }

  onClose(callback: () => void): void {
    this.answer.onClose(callback);
  }

  refuse(reason: DenyReason, details?: RefusalDetails): void {
    this.answer.refuse(reason, details);
  }

  cut(reason: DenyReason, detail?: string): void {
    this.answer.cut(reason, detail);
  }

  /** Ends it: 502 when nothing was sent, else a cut. */
  protected unreadable(detail: string): void {
    this.answer.cut('answer_unreadable', detail);
  }

  /** A whole answer of our own making. */
  protected send(status: number, contentType: string, body: Buffer): void {
    this.answer.open(status, {
      'content-type': contentType,
      'content-length': String(body.length),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    this.answer.write(body);
    this.answer.end();
  }

  /** The upstream's status and the type of its body, lower case, without parameters. */
  protected abstract begin(status: number, type: string, contentType: Collected): void;
  protected abstract take(chunk: Uint8Array): boolean;
  protected abstract finish(): void;
}

function mediaType(contentType: Collected): string {
  if (contentType === undefined || Array.isArray(contentType)) return '';
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/**
 * Whether the client may hear this status from the upstream. 401, 403 and 407 are about the gate's own credentials, and
 * would make the client doubt its own; what is no error of the client is 502.
 */
export function isTold(status: number): boolean {
  return status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 407;
}
