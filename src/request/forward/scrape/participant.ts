/** One of those who get the answer of a flight: with a deadline, caps and an account of their own. */
import type { Clock, Timer } from '../../../lib/clock.ts';
import type { Answer, AnswerHeaders } from '../../answer.ts';
import type { DenyReason } from '../../deny-reasons.ts';
import type { Passage } from '../../passage.ts';
import type { ScrapeRecord } from '../../scrape-record.ts';
import type { Amount } from './caps.ts';
import type { Meter } from './meter.ts';

/** Looked at with every chunk that comes: why this much is too much for somebody; null: it is not. */
export type JudgeAmount = (amount: Amount) => { readonly reason: DenyReason; readonly detail: string } | null;

export interface ParticipantOptions {
  readonly clock: Clock;
  /** null: every amount is allowed. */
  readonly judge: JudgeAmount | null;
  /** Milliseconds from the request line, and what it means when they are over; null: as long as it takes. */
  readonly deadline: { readonly withinMs: number; readonly reason: DenyReason } | null;
}

export class Participant {
  readonly answer: Answer;
  readonly record: ScrapeRecord;
  /** The number of chunks that were written to the answer. */
  read = 0;
  /** The answer takes no more for now. */
  blocked = false;
  readonly #startedAt: number;
  readonly #clock: Clock;
  readonly #judge: JudgeAmount | null;
  readonly #timer: Timer | null;

  constructor(passage: Passage, { clock, judge, deadline }: ParticipantOptions) {
    this.answer = passage.answer;
    this.record = { bytes: 0, series: null, samples: null, firstByteMs: null, sharing: 'leader' };
    passage.scrape = this.record;
    this.#startedAt = passage.startedAt;
    this.#clock = clock;
    this.#judge = judge;
    this.#timer = deadline === null ? null : this.#expireAfter(deadline.withinMs, deadline.reason);
  }

  #expireAfter(withinMs: number, reason: DenyReason): Timer {
    const left = Math.max(0, this.#startedAt + withinMs - this.#clock.monotonic());
    return this.#clock.after(left, () => {
      this.answer.cut(reason, `after ${String(Math.round(withinMs))} ms`);
    });
  }

  /** @param bornAt when the upstream was asked for an answer of before; null: it is of now. */
  open(status: number, headers: AnswerHeaders, bornAt: number | null): void {
    if (this.answer.closed) return;
    const now = this.#clock.monotonic();
    // RFC 9111 §5.1.
    const aged = bornAt === null ? headers : { ...headers, age: String(Math.floor((now - bornAt) / 1000)) };
    this.answer.open(status, aged);
    this.record.firstByteMs = now - this.#startedAt;
  }

  /** Ends the answer when more has come than is allowed, before the excess is written. @returns whether it went on. */
  allows(amount: Amount): boolean {
    const excess = this.#judge === null ? null : this.#judge(amount);
    if (excess === null) return true;
    this.answer.cut(excess.reason, excess.detail);
    return false;
  }

  /** The answer is over. */
  settle(meter: Meter | null): void {
    this.#timer?.cancel();
    if (meter === null) return;
    this.record.bytes = meter.bytes;
    this.record.series = meter.series;
    this.record.samples = meter.samples;
  }
}
