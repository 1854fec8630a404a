/**
 * A socket whose TLS handshake may read so many bytes and no more: what is beyond is not even shown to OpenSSL, which
 * verifies every certificate that a client sends before anybody can say no. It goes through JavaScript, which costs some
 * speed for the life of the connection: for addresses with a record only.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

export class BoundedStream extends Duplex {
  readonly raw: Socket;
  readonly #exceeded: () => void;
  /** Bytes that may still be read; null: the handshake is over. */
  #left: number | null;
  /** What lies beyond, while TLS works on the rest. */
  #held: Buffer[] = [];

  /** @param exceeded called at most once; the stream is destroyed behind it. */
  constructor(raw: Socket, limit: number, exceeded: () => void) {
    super({ allowHalfOpen: false });
    this.raw = raw;
    this.#left = limit;
    this.#exceeded = exceeded;
    raw.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
    raw.once('end', () => {
      // Behind what is held; and a handshake whose client ends it is broken off, or Node forgets of whom it was.
      setImmediate(() => {
        if (this.#left === null) this.push(null);
        else this.destroy();
      });
    });
    raw.once('close', () => {
      this.destroy();
    });
    this.on('error', () => undefined);
  }

  /** The handshake is over: everything may be read. What is held comes behind it: TLS is at work at this moment. */
  release(): void {
    this.#left = null;
  }

  #take(chunk: Buffer): void {
    if (this.#held.length > 0) {
      this.#held.push(chunk);
    } else if (this.#left === null || chunk.length <= this.#left) {
      if (this.#left !== null) this.#left -= chunk.length;
      if (!this.push(chunk)) this.raw.pause();
    } else {
      // The end of the handshake and a long request may come in one chunk.
      const shown = this.#left;
      this.#held.push(chunk.subarray(shown));
      this.raw.pause();
      this.#left = 0;
      if (shown > 0) this.push(chunk.subarray(0, shown));
      setImmediate(() => {
        this.#judgeHeld();
      });
    }
  }

  /** TLS has worked on all that it was shown. */
  #judgeHeld(): void {
    if (this.destroyed) return;
    if (this.#left === null) {
      for (const chunk of this.#held.splice(0)) this.push(chunk);
      this.raw.resume();
    } else {
      this.#exceeded();
      this.destroy();
    }
  }

  override _read(): void {
    if (this.#held.length === 0) this.raw.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.raw.write(chunk, callback);
  }

  override _final(callback: () => void): void {
    this.raw.end(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.raw.destroy();
    callback(error);
  }
}
