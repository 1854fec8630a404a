/**
 * The body of a client's request on its way upstream: streamed with backpressure, counted, cut at the limit. It is a
 * stream of its own, because undici destroys what it was given, and a destroyed request takes the client's answer along.
 */
import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Clock, Timer } from '../../lib/clock.ts';
import { LARGEST_ROOM } from '../body-memory.ts';
import type { BodyMemory, HeldBody } from '../body-memory.ts';
import { announcedLength, wasReset } from '../message.ts';
import { ForwardError } from './failures.ts';

type RawRequest = IncomingMessage | Http2ServerRequest;

export interface RequestBodyOptions {
  /** On whose account it is in memory; see request/party.ts. */
  readonly party: string;
  readonly memory: BodyMemory;
  readonly clock: Pick<Clock, 'after'>;
  /** Bytes. */
  readonly limit: number;
  /** Called before the first byte is wanted: the moment for `100 Continue`. */
  readonly onWanted: () => void;
  readonly onBytes: (count: number) => void;
}

/** For the first 64 KiB, or all of a shorter one: 2 KB a second, less than any line that somebody queries over. */
const COLLECT_MS = 30_000;

export class RequestBody extends Readable implements HeldBody {
  readonly #request: RawRequest;
  readonly #options: RequestBodyOptions;
  #received = 0;
  #wanted = false;
  #collected: ((error: Error | null) => void) | null = null;
  #deadline: Timer | null = null;

  constructor(request: RawRequest, options: RequestBodyOptions) {
    // How much is taken in before the upstream is asked: every query of a dashboard, and no more memory.
    super({ highWaterMark: LARGEST_ROOM });
    this.#request = request;
    this.#options = options;
    // Whoever reads it hears of an error too; while nobody does, it must not end the process.
    this.on('error', () => undefined);
  }

  /**
   * Reads until the body is whole or fills its buffer, and calls back once: until then it needs no connection to the
   * upstream, so that a client that sends a byte a minute holds none. At once, unread, where there is no room for it.
   */
  collect(done: (error: Error | null) => void): void {
    if (!this.#options.memory.admit(this, announcedLength(this.#request))) {
      done(new ForwardError('too_many_bodies', 'the share of its identity in the memory for bodies is taken'));
      return;
    }
    this.#collected = done;
    this.#deadline = this.#options.clock.after(COLLECT_MS, () => {
      this.destroy(new ForwardError('header_timeout', 'the body came too slowly'));
    });
    this.read(0);
  }

  /** Whether it is the client for whose bytes the upstream waits. */
  get isStarved(): boolean {
    return this.#wanted && this.readableLength === 0 && !this.destroyed && !this.#request.readableEnded;
  }

  /** Bytes that came so far. */
  get received(): number {
    return this.#received;
  }

  get party(): string {
    return this.#options.party;
  }

  giveUp(): void {
    this.destroy(new ForwardError('too_many_bodies', 'its identity had most of the memory for bodies'));
  }

  /** Its answer is over: whatever was taken in and not sent is given up. */
  release(): void {
    this.#deadline?.cancel();
    this.#options.memory.leave(this);
  }

  #tellCollected(error: Error | null): void {
    this.#deadline?.cancel();
    this.#options.memory.came(this);
    const told = this.#collected;
    this.#collected = null;
    told?.(error);
  }

  override _read(): void {
    if (!this.#wanted) {
      this.#wanted = true;
      this.#options.onWanted();
      this.#request
        .on('data', this.#onData)
        .on('end', this.#onEnd)
        .on('close', this.#onClose)
        .on('error', this.#onError);
    }
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.#wanted) {
      const request = this.#request;
      request.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
      // The error listener stays: nobody else would hear a late reset.
      request.pause();
    }
    callback(error);
    this.#options.memory.leave(this);
    this.#tellCollected(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    this.#options.onBytes(chunk.length);
    if (this.#received > this.#options.limit) {
      this.destroy(new ForwardError('body_too_large', `more than ${String(this.#options.limit)} bytes`));
    } else if (!this.push(chunk)) {
      this.#request.pause();
      this.#tellCollected(null);
    }
  };

  readonly #onEnd = (): void => {
    // On h2 a reset stream also ends: what is there would look complete to the upstream.
    if (wasReset(this.#request)) this.#onClose();
    else this.#complete();
  };

  #complete(): void {
    this.push(null);
    this.#tellCollected(null);
  }

  readonly #onClose = (): void => {
    if (!this.readableEnded && !this.destroyed && (!this.#request.readableEnded || wasReset(this.#request))) {
      this.destroy(new ForwardError('bad_framing', 'the client left within the body'));
    }
  };

  readonly #onError = (): void => {
    this.#onClose();
  };
}
