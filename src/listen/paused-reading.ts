/**
 * Stops and goes on reading a socket under everything that is built on it: TLS, HTTP/1.1 and HTTP/2 read its handle in
 * native code, and `pause()` of a stream would not reach that.
 */
import type { Socket } from 'node:net';

interface Handle {
  readStop?(): void;
  readStart?(): void;
}

export class PausedReading {
  readonly #socket: Socket;
  #isPaused = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** To be called again when something has come nevertheless. */
  pause(): void {
    this.#isPaused = true;
    this.#stop();
    // HTTP/2 starts the handle again behind each write of its own: two turns of the loop, one for TLS and one for it.
    setImmediate(() => {
      this.#stop();
      setImmediate(() => {
        this.#stop();
      });
    });
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#handle()?.readStart?.();
  }

  #stop(): void {
    if (this.#isPaused) this.#handle()?.readStop?.();
  }

  /** null once it is closed. */
  #handle(): Handle | null {
    return (this.#socket as { _handle?: Handle | null })._handle ?? null;
  }
}
