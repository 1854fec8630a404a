/** Behind the upstream and the filter, before compression: counts what comes, and lets nobody have more than they may. */
import type { Answer, AnswerHeaders, RefusalDetails } from '../../answer.ts';
import type { DenyReason } from '../../deny-reasons.ts';
import type { Flight } from './flight.ts';
import type { LineCounter } from './line-counter.ts';
import { createErrorMeter, createMeter } from './meter.ts';
import type { Meter } from './meter.ts';

export class Intake implements Answer {
  readonly #flight: Flight;
  readonly #next: Answer;
  readonly #mayRefuse: boolean;
  readonly #lines: LineCounter;
  #meter: Meter | null = null;
  /** Held back until the first bytes were judged: before them a refusal is still possible. */
  #head: { readonly status: number; readonly headers: AnswerHeaders } | null = null;

  /**
   * @param next compresses, and ends in the flight.
   * @param mayRefuse whether the first bytes can be too much for who asked.
   * @param lines what counts text.
   */
  constructor(flight: Flight, next: Answer, mayRefuse: boolean, lines: LineCounter) {
    this.#flight = flight;
    this.#next = next;
    this.#mayRefuse = mayRefuse;
    this.#lines = lines;
  }

  get opened(): boolean {
    return this.#next.opened;
  }

  get closed(): boolean {
    return this.#next.closed;
  }

  open(status: number, headers: AnswerHeaders): void {
    const meter =
      status >= 200 && status < 300
        ? createMeter(single(headers['content-type']), single(headers['content-encoding']), this.#lines)
        : createErrorMeter();
    this.#meter = meter;
    this.#flight.meter = meter;
    // What is announced is judged before the first byte.
    const announced = Number(single(headers['content-length']) ?? 0);
    this.#flight.judge({ bytes: announced, series: meter.series });
    this.#head = { status, headers };
    if (!this.#mayRefuse) this.#begin();
  }

  write(chunk: Uint8Array): boolean {
    const meter = this.#meter;
    if (meter !== null) {
      meter.add(chunk);
      this.#flight.judge(meter);
    }
    this.#begin();
    return this.#next.write(chunk);
  }

  end(): void {
    const meter = this.#meter;
    if (meter !== null) {
      meter.end();
      this.#flight.judge(meter);
    }
    this.#begin();
    this.#next.end();
  }

  #begin(): void {
    const head = this.#head;
    this.#head = null;
    if (head !== null) this.#next.open(head.status, head.headers);
  }

  onDrain(callback: () => void): void {
    this.#next.onDrain(callback);
  }

  onClose(callback: () => void): void {
    this.#next.onClose(callback);
  }

  refuse(reason: DenyReason, details?: RefusalDetails): void {
    this.#next.refuse(reason, details);
  }

  cut(reason: DenyReason, detail?: string): void {
    this.#next.cut(reason, detail);
  }
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}
