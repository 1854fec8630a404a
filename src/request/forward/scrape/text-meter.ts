/**
 * Counts the samples of the text formats: their lines but for comments. A borderline case counts too much rather than too
 * little.
 */
import type { LineCounter } from './line-counter.ts';
import type { Meter } from './meter.ts';

export class TextMeter implements Meter {
  readonly #counter: LineCounter;
  #bytes = 0;
  #lines = 0;
  /** Nothing but blanks has come of the line. */
  #fresh = true;

  constructor(counter: LineCounter) {
    this.#counter = counter;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get series(): number {
    return this.#lines;
  }

  get samples(): number {
    return this.#lines;
  }

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    const counted = this.#counter.count(chunk, this.#fresh);
    this.#fresh = (counted & 1) === 1;
    this.#lines += counted >> 1;
  }

  end(): void {
    // A last line without a newline was counted at its first byte.
  }
}
