/** Sees whether an answer makes progress towards its client. Pure: samples in, milliseconds without progress out. */

export interface OutgoingSample {
  /** Bytes handed to the transport that it has not taken yet; 0: nothing waits for the client. */
  readonly pendingBytes: number;
  /** Any number that changes when the transport has taken something. */
  readonly progress: number;
}

/** Progress is seen per chunk written, so a large chunk gets more time: about 9 kB a second at the default. */
const CHUNK_BYTES = 256 * 1024;
const LARGEST_FACTOR = 8;

export class StallWatch {
  #last: OutgoingSample | null = null;
  #since = 0;

  /**
   * Whether nothing has moved for the time-out, although something waits.
   * @param nowMs monotonic.
   */
  isStalled(sample: OutgoingSample, nowMs: number, sendTimeoutMs: number): boolean {
    const last = this.#last;
    this.#last = sample;
    if (sample.pendingBytes === 0) {
      this.#last = null;
      return false;
    }
    if (sample.progress !== last?.progress || sample.pendingBytes < last.pendingBytes) {
      this.#since = nowMs;
      return false;
    }
    const factor = Math.min(LARGEST_FACTOR, Math.max(1, Math.ceil(sample.pendingBytes / CHUNK_BYTES)));
    return nowMs - this.#since >= sendTimeoutMs * factor;
  }
}
