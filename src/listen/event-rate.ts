/** Counts events in windows of fixed length, in two numbers; a flood is more than `limit` in one window. */

export class EventRate {
  readonly #limit: number;
  readonly #windowMs: number;
  #windowStart = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Counts one event. @param nowMs monotonic. @returns whether the limit is exceeded. */
  exceeds(nowMs: number): boolean {
    if (nowMs - this.#windowStart >= this.#windowMs) {
      this.#windowStart = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > this.#limit;
  }
}
