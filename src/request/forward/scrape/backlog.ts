/** The chunks of an answer that somebody may still want, numbered from its beginning, and what they cost in memory. */

/** A chunk costs memory beyond its bytes: an upstream that sends single bytes must not get around the bounds. */
const CHUNK_OVERHEAD_BYTES = 128;

export class Backlog {
  #chunks: Uint8Array[] = [];
  /** The number of the first chunk that is still there. */
  #first = 0;
  #bytes = 0;

  /** Memory, overhead included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number that the next chunk will have. */
  get end(): number {
    return this.#first + this.#chunks.length;
  }

  push(chunk: Uint8Array): void {
    const kept = keepable(chunk);
    this.#chunks.push(kept);
    this.#bytes += kept.length + CHUNK_OVERHEAD_BYTES;
  }

  at(number: number): Uint8Array | undefined {
    return this.#chunks[number - this.#first];
  }

  /** Gives up the chunks before this number. */
  dropBefore(number: number): void {
    const count = number - this.#first;
    if (count <= 0) return;
    for (let index = 0; index < count; index++) {
      this.#bytes -= (this.#chunks[index]?.length ?? 0) + CHUNK_OVERHEAD_BYTES;
    }
    if (count === this.#chunks.length) this.#chunks = [];
    else this.#chunks.splice(0, count);
    this.#first = number;
  }
}

/** A piece of a larger buffer would keep all of it in memory, uncounted. */
function keepable(chunk: Uint8Array): Uint8Array {
  return chunk.length * 2 < chunk.buffer.byteLength ? Buffer.from(chunk) : chunk;
}
