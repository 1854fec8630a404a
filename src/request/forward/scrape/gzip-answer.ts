/**
 * Compresses what is written to it, in large batches off the main thread: one trip to the thread pool for each small
 * chunk would take several times as long as the whole. Each batch waits for its turn. An answer that is cut has no gzip
 * trailer.
 */
import { createGzip, gzip } from 'node:zlib';
import type { Gzip } from 'node:zlib';
import type { Answer, AnswerHeaders, RefusalDetails } from '../../answer.ts';
import type { DenyReason } from '../../deny-reasons.ts';
import type { CompressionJob, CompressionTurns } from './compression-turns.ts';

/** Measured on 17 MB of Prometheus's 4 KB chunks: smaller batches are slower, larger ones gain nothing. */
const BATCH_BYTES = 262_144;
const OUTPUT_BYTES = 262_144;
/** A batch and what undici had read beyond it. */
const ROOM_BYTES = BATCH_BYTES + 131_072;
/** Of an answer in one piece; a page of an exporter becomes a few kilobytes. */
const ONE_SHOT_OUTPUT_BYTES = 16_384;
/** Below this the headers of gzip and a trip to the thread pool cost more than they save. */
const WORTH_COMPRESSING_BYTES = 1024;

export interface GzipOptions {
  /** zlib's, 1 to 9. */
  readonly level: number;
  /** On whose account the work is; see request/party.ts. */
  readonly party: string;
  readonly turns: CompressionTurns;
}

export class GzipAnswer implements Answer, CompressionJob {
  readonly party: string;
  readonly #turns: CompressionTurns;
  readonly #next: Answer;
  readonly #level: number;
  #opened = false;
  #ended = false;
  /** What came and has not been handed to zlib; null: the answer passes as it is. */
  #held: Uint8Array[] | null = null;
  #heldBytes = 0;
  #headers: AnswerHeaders = {};
  #gzip: Gzip | null = null;
  /** Where batches are put together: one is with zlib at a time. New memory for each would cost a collection every other scrape. */
  #room: Buffer | null = null;
  /** What its turn is for; null: nothing is with zlib, or waits to be. */
  #work: (() => void) | null = null;
  /** The answer behind does not take more for now. */
  #blocked = false;
  #drained: (() => void) | null = null;

  constructor(next: Answer, { level, party, turns }: GzipOptions) {
    this.#next = next;
    this.#level = level;
    this.party = party;
    this.#turns = turns;
    next.onClose(() => {
      this.#held = null;
      this.#abandon();
    });
  }

  // A turn

  start(): void {
    this.#work?.();
  }

  #await(work: () => void): void {
    this.#work = work;
    this.#turns.enter(this);
  }

  #done(): void {
    this.#work = null;
    this.#turns.done(this);
    if (this.#next.closed) this.#gzip?.destroy();
  }

  /** What is with zlib already is left to its end: a turn that ended before its work would let any number work. */
  #abandon(): void {
    if (this.#work !== null && !this.#turns.leave(this)) return;
    this.#work = null;
    this.#gzip?.destroy();
  }

  /** Whether the upstream has answered; the client hears of it with the first batch. */
  get opened(): boolean {
    return this.#opened;
  }

  get closed(): boolean {
    return this.#ended || this.#next.closed;
  }

  open(status: number, headers: AnswerHeaders): void {
    if (this.#opened || this.closed) return;
    this.#opened = true;
    this.#headers = headers;
    if (isWorthCompressing(status, headers)) this.#held = [];
    else this.#next.open(status, this.#headers);
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#opened || this.closed) return false;
    if (this.#held === null) return this.#next.write(chunk);
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < BATCH_BYTES) return true;
    if (this.#work !== null || this.#blocked) return false;
    this.#feed();
    return true;
  }

  onDrain(callback: () => void): void {
    if (this.#held === null) this.#next.onDrain(callback);
    else this.#drained = callback;
  }

  onClose(callback: () => void): void {
    this.#next.onClose(callback);
  }

  end(): void {
    if (!this.#opened || this.closed) return;
    this.#ended = true;
    if (this.#held === null) this.#next.end();
    else if (this.#gzip === null) this.#endInOnePiece(this.#take());
    else if (this.#work === null && !this.#blocked) this.#endStream(this.#gzip);
  }

  refuse(reason: DenyReason, details?: RefusalDetails): void {
    this.#next.refuse(reason, details);
    this.#abandon();
  }

  cut(reason: DenyReason, detail?: string): void {
    this.#next.cut(reason, detail);
    this.#abandon();
  }

  #take(): Buffer {
    const held = this.#held ?? [];
    const length = this.#heldBytes;
    this.#held = [];
    this.#heldBytes = 0;
    const [first] = held;
    if (held.length === 1 && first !== undefined) return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
    if (length > ROOM_BYTES || this.#gzip === null) return Buffer.concat(held, length);
    this.#room ??= Buffer.allocUnsafeSlow(ROOM_BYTES);
    let at = 0;
    for (const chunk of held) {
      this.#room.set(chunk, at);
      at += chunk.length;
    }
    return this.#room.subarray(0, length);
  }

  #endInOnePiece(body: Buffer): void {
    if (body.length < WORTH_COMPRESSING_BYTES) {
      this.#sendWhole({ ...this.#headers, 'content-length': String(body.length) }, body);
      return;
    }
    this.#await(() => {
      gzip(body, { level: this.#level, chunkSize: ONE_SHOT_OUTPUT_BYTES }, (error, packed) => {
        this.#done();
        if (this.#next.closed) return;
        if (error === null) this.#sendWhole(packedHeaders(this.#headers, packed.length), packed);
        else this.#next.cut('internal_error', error.message);
      });
    });
  }

  #sendWhole(headers: AnswerHeaders, body: Buffer): void {
    this.#next.open(200, headers);
    if (body.length > 0) this.#next.write(body);
    this.#next.end();
  }

  #feed(): void {
    const gzip = this.#gzip ?? this.#begin();
    this.#await(() => {
      gzip.write(this.#take(), () => {
        this.#done();
        this.#goOn();
      });
    });
  }

  #begin(): Gzip {
    const stream = createGzip({ level: this.#level, chunkSize: OUTPUT_BYTES });
    this.#gzip = stream;
    this.#next.open(200, packedHeaders(this.#headers, null));
    stream.on('data', (chunk: Buffer) => {
      if (this.#next.closed || this.#next.write(chunk) || this.#blocked) return;
      this.#blocked = true;
      this.#next.onDrain(() => {
        this.#blocked = false;
        this.#goOn();
      });
    });
    stream.on('end', () => {
      this.#done();
      this.#next.end();
    });
    stream.on('error', (error: Error) => {
      if (this.#work !== null && !this.#turns.leave(this)) this.#done();
      this.#work = null;
      this.#next.cut('internal_error', error.message);
    });
    return stream;
  }

  /** When the batch is done and the answer behind takes more. */
  #goOn(): void {
    if (this.#work !== null || this.#blocked || this.#gzip === null || this.#next.closed) return;
    if (this.#ended) {
      this.#endStream(this.#gzip);
      return;
    }
    if (this.#heldBytes >= BATCH_BYTES) this.#feed();
    const drained = this.#drained;
    this.#drained = null;
    drained?.();
  }

  #endStream(gzip: Gzip): void {
    this.#await(() => {
      if (this.#heldBytes > 0) gzip.end(this.#take());
      else gzip.end();
    });
  }
}

/** What is already encoded, partial, without a body or without an end is passed on as it is. */
function isWorthCompressing(status: number, headers: AnswerHeaders): boolean {
  if (status !== 200 || headers['content-range'] !== undefined) return false;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return false;
  if (String(headers['content-type']).trimStart().toLowerCase().startsWith('text/event-stream')) return false;
  const length = headers['content-length'];
  return typeof length !== 'string' || Number(length) >= WORTH_COMPRESSING_BYTES;
}

/** @param length of the compressed body, where it is known. */
function packedHeaders(headers: AnswerHeaders, length: number | null): AnswerHeaders {
  const out: AnswerHeaders = { ...headers, 'content-encoding': 'gzip' };
  if (length === null) delete out['content-length'];
  else out['content-length'] = String(length);
  // RFC 9110 §8.8.3.3: a strong validator is of one encoding only; of another it can be weak at most.
  const { etag } = headers;
  if (typeof etag === 'string' && !etag.startsWith('W/')) out['etag'] = `W/${etag}`;
  return out;
}
