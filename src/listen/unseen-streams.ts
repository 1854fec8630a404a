/**
 * Finds the h2 requests that nghttp2 refused by itself (malformed pseudo headers, too many headers): Node raises no event
 * for them. A client numbers its streams 1, 3, 5, … (RFC 9113 §5.1.1), so what was processed and never seen was refused.
 */

export class UnseenStreams {
  /** Every stream up to it is accounted for. */
  #highest = -1;

  /** A stream that came as a request. @returns how many below it never did. */
  saw(id: number): number {
    const missed = this.#advance(id - 2);
    this.#highest = Math.max(this.#highest, id);
    return missed;
  }

  /**
   * @param lastProcessed the highest id of which nghttp2 has read a frame's head; 0 or undefined: none.
   * @param isOver whether nothing more will come; until then the headers of the highest may still be on their way.
   * @returns how many never came.
   */
  processed(lastProcessed: number | undefined, isOver: boolean): number {
    return this.#advance((lastProcessed ?? 0) - (isOver ? 0 : 2));
  }

  #advance(upTo: number): number {
    if (upTo <= this.#highest) return 0;
    const missed = Math.floor((upTo - this.#highest) / 2);
    this.#highest = upTo;
    return missed;
  }
}
