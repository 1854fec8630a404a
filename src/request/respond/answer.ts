/**
 * The Answer of one request on its raw response. Fastify never writes by itself: whoever answers goes through here, so
 * that configured headers, accounting and the end of the connection are the same for a refusal and for 300 MB.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Log, Metrics } from '../../observe/ports.ts';
import type { Answer, AnswerHeaders, RefusalDetails } from '../answer.ts';
import type { DenyReason } from '../deny-reasons.ts';
import { bodyIsOutstanding, HOP_BY_HOP } from '../message.ts';
import type { Passage } from '../passage.ts';
import { CLIENT_LEFT_STATUS, settle } from './accounting.ts';
import type { Denial } from './accounting.ts';
import { setCrossOrigin } from './cross-origin.ts';
import { renderRefusal } from './refusal.ts';
import { createWire, LONGEST_HOLD_MS } from './wire.ts';
import type { RawRequest, RawResponse, Wire } from './wire.ts';

export interface AnswerOptions {
  readonly request: RawRequest;
  readonly response: RawResponse;
  /** The passage that will carry this answer; read when something is answered. */
  readonly passage: Passage;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Begins the answer of a request: counts it as in flight until the raw response is closed. */
export function createAnswer(options: AnswerOptions): Answer {
  options.metrics.inFlight(1);
  return new WireAnswer(options, createWire(options.request, options.response, options.clock));
}

/**
 * Who sends bodies for which there is no room would come again at once, and its handshake costs more than the request: so
 * the connection of what is refused for these reasons stays, unread, for a while.
 */
const HELD_REASONS: ReadonlySet<DenyReason> = new Set(['too_many_bodies']);

class WireAnswer implements Answer {
  readonly #options: AnswerOptions;
  readonly #wire: Wire;
  #status: number | null = null;
  #bodyless = false;
  #bytesOut = 0;
  #ended = false;
  #denial: Denial | null = null;
  #over = false;
  #closeCallbacks: (() => void)[] = [];

  constructor(options: AnswerOptions, wire: Wire) {
    this.#options = options;
    this.#wire = wire;
    const over = (): void => {
      this.#finish();
    };
    // A client that is gone already has no further event for us.
    if (wire.gone) queueMicrotask(over);
    else wire.onClose(over);
  }

  get opened(): boolean {
    return this.#status !== null;
  }

  get closed(): boolean {
    return this.#ended || this.#over || this.#wire.gone;
  }

  refuse(reason: DenyReason, details: RefusalDetails = {}): void {
    if (this.closed) return;
    if (this.opened) {
      this.cut(reason, details.detail);
      return;
    }
    this.#deny(reason, details.detail, false);
    const { passage } = this.#options;
    const refusal = renderRefusal(passage.config, { id: passage.id, path: passage.target.path }, reason, details);
    this.#sendHead(refusal.status, refusal.headers);
    this.write(refusal.body);
    this.end();
  }

  open(status: number, headers: AnswerHeaders): void {
    if (this.opened || this.closed) return;
    try {
      this.#sendHead(status, headers);
    } catch (error) {
      this.#status = null;
      this.refuse('upstream_failed', { detail: `headers that cannot be passed on: ${(error as Error).message}` });
    }
  }

  write(chunk: Uint8Array): boolean {
    if (!this.opened || this.closed) return false;
    if (this.#bodyless || chunk.length === 0) return true;
    this.#bytesOut += chunk.length;
    return this.#wire.write(chunk);
  }

  onDrain(callback: () => void): void {
    this.#wire.onDrain(callback);
  }

  onClose(callback: () => void): void {
    if (this.#over) callback();
    else this.#closeCallbacks.push(callback);
  }

  end(): void {
    if (!this.opened || this.closed) return;
    this.#ended = true;
    if (this.#isHeld) this.#wire.endHeld();
    else this.#wire.end();
  }

  cut(reason: DenyReason, detail?: string): void {
    if (this.closed) return;
    if (!this.opened) {
      this.refuse(reason, detail === undefined ? {} : { detail });
      return;
    }
    this.#deny(reason, detail, true);
    this.#ended = true;
    this.#wire.reset();
  }

  #deny(reason: DenyReason, detail: string | undefined, begun: boolean): void {
    // The first reason is the cause; what follows from it is noise.
    if (this.#denial !== null) return;
    this.#denial = { reason, detail: detail ?? null, begun };
    this.#options.metrics.refused(reason);
  }

  /** Whether the connection is to stay for a while, although nothing more is answered on it. */
  get #isHeld(): boolean {
    return this.#denial !== null && HELD_REASONS.has(this.#denial.reason);
  }

  /** @throws when a header cannot be sent. */
  #sendHead(status: number, headers: AnswerHeaders): void {
    const { passage } = this.#options;
    const bodyless = passage.target.method === 'HEAD' || status === 204 || status === 304;
    const out: AnswerHeaders = {};
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined && !HOP_BY_HOP.has(name)) out[name] = value;
    }
    if (status === 204) delete out['content-length'];
    if (passage.config.cors !== null) setCrossOrigin(out, passage.origin ?? null);
    // The operator's word wins over the upstream's.
    Object.assign(out, passage.config.headers);
    if (!this.#wire.http2 && this.#mustClose(passage)) {
      out['connection'] = 'close';
      // RFC 9112 §9.6: what came behind this request, perhaps in the same packet, is not processed any more.
      passage.connection.drain(this.#isHeld ? LONGEST_HOLD_MS : passage.config.drainTimeoutMs);
    }
    this.#wire.head(status, out, bodyless);
    this.#status = status;
    this.#bodyless = bodyless;
  }

  /** Without it Node swallows the rest of a refused body, gigabytes of it. */
  #mustClose(passage: Passage): boolean {
    return passage.connection.leaving || bodyIsOutstanding(this.#options.request);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    const { passage, log, metrics, clock } = this.#options;
    const callbacks = this.#closeCallbacks;
    this.#closeCallbacks = [];
    for (const callback of callbacks) {
      try {
        callback();
      } catch (error) {
        log.error({ id: passage.id, err: error }, 'the end of an answer was handled badly');
      }
    }
    settle(
      passage,
      {
        status: this.#status ?? CLIENT_LEFT_STATUS,
        bytesOut: this.#bytesOut,
        durationMs: clock.monotonic() - passage.startedAt,
        denial: this.#denial,
        clientLeft: !this.#ended,
      },
      log,
      metrics,
    );
  }
}
