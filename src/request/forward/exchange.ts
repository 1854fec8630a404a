/**
 * One request to one upstream, and its answer on the way back: waits for a line, retries once where that is safe, streams
 * with backpressure, and ends with whichever side ends first. Speaks undici's dispatch protocol; no promise, no signal.
 */
import type { Dispatcher } from 'undici';
import type { Upstream } from '../../config/config.ts';
import type { Answer } from '../answer.ts';
import { failureOf, isConnectionDeath } from './failures.ts';
import type { Failure } from './failures.ts';
import type { Line, Waiter, Watched } from './pool.ts';
import type { UpstreamPool } from './pools.ts';
import type { RequestBody } from './request-body.ts';
import { clientHeaders } from './response-headers.ts';

export interface Ask {
  /** Against whose share of the connections it counts. */
  readonly party: string;
  readonly method: string;
  /** Path and query, written from the judged target. */
  readonly path: string;
  readonly headers: Record<string, string | string[] | undefined>;
  /** A stream as it comes from the client, or what the gate has written itself. */
  readonly body: RequestBody | Buffer | null;
}

/** As long as the header time-out: who sends has no reason to pause for longer. */
const BODY_STALL_MS = 10_000;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export class Exchange implements Dispatcher.DispatchHandler, Waiter, Watched {
  readonly #ask: Ask;
  readonly #stream: RequestBody | null;
  readonly #upstream: Upstream;
  readonly #pool: UpstreamPool;
  readonly #answer: Answer;
  #line: Line | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #reused = false;
  #responseBegan = false;
  #isAnswering = false;
  #silentMs = 0;
  #waitedMs = 0;
  #idleMs = 0;
  #isEventStream = false;
  #bodyBytes = 0;
  /** The client does not take more for now. */
  #awaitsDrain = false;
  #done = false;

  constructor(ask: Ask, upstream: Upstream, pool: UpstreamPool, answer: Answer) {
    this.#ask = ask;
    this.#stream = ask.body === null || Buffer.isBuffer(ask.body) ? null : ask.body;
    this.#upstream = upstream;
    this.#pool = pool;
    this.#answer = answer;
  }

  /** Returns at once; everything else happens to the answer. */
  start(): void {
    this.#answer.onClose(() => {
      this.#abandon();
    });
    if (this.#done) return;
    const body = this.#stream;
    if (body === null) {
      this.#pool.pool.enter(this);
      return;
    }
    body.collect((error) => {
      if (this.#done) return;
      if (error === null) this.#pool.pool.enter(this);
      else this.#fail(failureOf(error, false));
    });
  }

  // As a waiter

  get party(): string {
    return this.#ask.party;
  }

  get idleMs(): number {
    return this.#idleMs;
  }

  get isEventStream(): boolean {
    return this.#isEventStream;
  }

  yieldLine(): void {
    this.#fail({ reason: 'upstream_busy', detail: 'others waited for its connection' });
  }

  admitted(line: Line): void {
    this.#line = line;
    this.#pool.pool.watched.add(this);
    this.#send(line);
  }

  turnedAway(why: string): void {
    this.#done = true;
    this.#stream?.destroy();
    this.#answer.refuse('upstream_busy', { detail: why });
  }

  #send(line: Line): void {
    this.#controller = null;
    this.#responseBegan = false;
    this.#waitedMs = 0;
    const { method, path, headers, body } = this.#ask;
    line.client.dispatch({ method, path, headers, body }, this);
  }

  // As undici's handler

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#done) {
      controller.abort(new Error('the client has left'));
      return;
    }
    if (this.#line === null) return;
    this.#reused = this.#line.used;
    this.#line.used = true;
    this.#line.repair?.begin(this.#ask.method);
  }

  /** The first byte of a response; not in undici's newer types, but called. */
  onResponseStarted(): void {
    this.#responseBegan = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (this.#done || status < 200) return;
    this.#pool.report(true);
    this.#answer.open(status, clientHeaders(headers, this.#upstream));
    if (this.#answer.closed) {
      this.#abandon();
      return;
    }
    this.#silentMs = 0;
    this.#isAnswering = true;
    this.#isEventStream = isEventStream(headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#done) return;
    this.#silentMs = 0;
    if (this.#answer.write(chunk) || this.#answer.closed || this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    this.#answer.onDrain(() => {
      this.#awaitsDrain = false;
      controller.resume();
    });
    // Not at once: in the middle of what it has read, undici would put the rest back, read more behind it, and copy all of
    // that for every small chunk, until the whole body is in memory. What it has read is 64 KiB or little more.
    queueMicrotask(() => {
      if (this.#awaitsDrain && !this.#done) controller.pause();
    });
  }

  onResponseEnd(): void {
    if (this.#done) return;
    // undici takes a reset for the end of a body that ends with its connection; it would look whole to the client.
    const fault = this.#line?.socket?.errored;
    if (fault !== undefined && fault !== null) {
      this.#fail({ reason: 'upstream_failed', detail: `within the body: ${fault.message}` });
      return;
    }
    this.#answer.end();
    const body = this.#stream;
    const bodyWasSent = body === null || body.readableEnded;
    if (!bodyWasSent) body.destroy();
    this.#finish(bodyWasSent);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#done) return;
    if (this.#mayRetry(error)) {
      this.#retry();
      return;
    }
    this.#fail(failureOf(error, this.#controller !== null));
  }

  // As something watched

  tick(elapsedMs: number): void {
    if (!this.#isAnswering) {
      if (this.#stream === null || this.#stream.readableEnded) this.#watchWait(elapsedMs);
      else this.#watchBody(this.#stream, elapsedMs);
      return;
    }
    const isIdle = this.#awaitsDrain || this.#isEventStream;
    // Forgiven at half the pace: a client that reads a few bytes a minute is not a reader either.
    this.#idleMs = Math.max(0, this.#idleMs + (isIdle ? elapsedMs : -elapsedMs / 2));
    // While the client does not read, the upstream cannot send: that is not its silence. And a stream of events is silent
    // for as long as nothing happens.
    this.#silentMs = isIdle ? 0 : this.#silentMs + elapsedMs;
    if (this.#silentMs > this.#upstream.bodyTimeoutMs) {
      this.#fail({ reason: 'upstream_timeout', detail: 'silence within the body' });
    }
  }

  /** undici's own deadline begins again with each interim answer (1xx), and an upstream may send any number of them. */
  #watchWait(elapsedMs: number): void {
    if (this.#controller === null) return;
    this.#waitedMs += elapsedMs;
    if (this.#waitedMs <= this.#upstream.responseTimeoutMs) return;
    this.#fail({ reason: 'upstream_timeout', detail: 'no final headers' });
  }

  /** A body of which no more comes holds a connection that others wait for. */
  #watchBody(body: RequestBody, elapsedMs: number): void {
    const isStalled = body.isStarved && body.received === this.#bodyBytes;
    this.#bodyBytes = body.received;
    this.#silentMs = isStalled ? this.#silentMs + elapsedMs : 0;
    if (this.#silentMs > BODY_STALL_MS) this.#fail({ reason: 'header_timeout', detail: 'no more of the body came' });
  }

  /**
   * A GET on a kept-alive connection that died before any byte of a response: the upstream closed it while our request
   * was on its way. Nothing else is ever asked twice, and the retry is on a connection that is not a reused one.
   */
  #mayRetry(error: Error): boolean {
    return (
      this.#reused &&
      !this.#responseBegan &&
      this.#line?.repair?.began !== true &&
      this.#ask.method === 'GET' &&
      this.#ask.body === null &&
      isConnectionDeath(error)
    );
  }

  #retry(): void {
    if (this.#line === null) return;
    this.#pool.retried();
    this.#line = this.#pool.pool.renew(this.#line);
    this.#send(this.#line);
  }

  #fail({ reason, detail }: Failure): void {
    // One slow query does not say that the upstream is down.
    const isDown = reason === 'upstream_unreachable' || reason === 'upstream_failed';
    if (!this.#answer.opened && isDown) this.#pool.report(false);
    this.#stop(detail);
    this.#answer.cut(reason, detail);
  }

  /** Nobody wants the answer any more. */
  #abandon(): void {
    if (this.#done) return;
    this.#pool.pool.leave(this);
    this.#stop('the client has left');
  }

  #stop(why: string): void {
    this.#done = true;
    this.#stream?.destroy();
    this.#controller?.abort(new Error(why));
    this.#finish(false);
  }

  #finish(healthy: boolean): void {
    this.#done = true;
    this.#pool.pool.watched.delete(this);
    const line = this.#line;
    this.#line = null;
    if (line !== null) this.#pool.pool.giveBack(this, line, healthy);
  }
}

function isEventStream(headers: Headers): boolean {
  return String(headers['content-type']).trimStart().toLowerCase().startsWith('text/event-stream');
}
