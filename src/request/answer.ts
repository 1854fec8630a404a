/**
 * Contract: the one way an answer reaches the client, on HTTP/1.1 and HTTP/2. Implemented in respond/; forward/ and the
 * upstreams that the gate serves itself write to it.
 */
import type { DenyReason } from './deny-reasons.ts';

/** Response headers, lower-case names; a repeated header is an array. */
export type AnswerHeaders = Record<string, string | string[]>;

export interface RefusalDetails {
  /** For the log only. */
  readonly detail?: string;
  /** Told to the client behind the public sentence: about what it wrote itself, never about anything else. */
  readonly told?: string;
  readonly retryAfterSeconds?: number;
  /** For 405. */
  readonly allow?: readonly string[];
}

export interface Answer {
  /** Whether headers were sent. */
  readonly opened: boolean;
  /** Whether the answer ended, was cut, or the client has left. */
  readonly closed: boolean;
  /** Answers with the reason's status, or cuts when the answer has begun. */
  refuse(reason: DenyReason, details?: RefusalDetails): void;
  /** May change the headers: they are handed over. Only an answer on the wire copies them, so that several can share one object. */
  open(status: number, headers: AnswerHeaders): void;
  /** False: wait for `onDrain` before the next chunk. */
  write(chunk: Uint8Array): boolean;
  onDrain(callback: () => void): void;
  /** Called once, when the answer is over in any way (ended, cut, or the client left). */
  onClose(callback: () => void): void;
  end(): void;
  /** Ends the answer so that the client sees an error: RST_STREAM on h2, a destroyed socket on HTTP/1.1. */
  cut(reason: DenyReason, detail?: string): void;
}
