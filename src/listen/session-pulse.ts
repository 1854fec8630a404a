/**
 * Sees that an HTTP/2 session has ended inside the library. After some errors of a connection Node 20 sends GOAWAY and then
 * neither reads, so that it never hears of the client's end, nor closes; the answers in flight would be held for ever.
 */

export interface PulseSample {
  /** Monotonic. */
  readonly nowMs: number;
  /** Any number that changes when a byte was read or written. */
  readonly moved: number;
  /** An answer is in flight, and none waits for the client to read: that is watched elsewhere. */
  readonly isWaiting: boolean;
}

export interface PulseSession {
  ping(callback: () => void): boolean;
  readonly state: { readonly outboundQueueSize?: number | undefined };
}

/** A quiet answer (a live notification, a slow query) is asked about that often. */
const QUIET_MS = 10_000;

export class SessionPulse {
  readonly #session: PulseSession;
  #moved = -1;
  #since = 0;
  #isAsked = false;
  /** The event loop has turned since: after a long pause of ours the sweep comes before what could have been sent. */
  #hadItsTurn = false;

  constructor(session: PulseSession) {
    this.#session = session;
  }

  /** Whether a PING of ours has not even been sent for so long. A client that is slow to answer one is not dead. */
  isDead({ nowMs, moved, isWaiting }: PulseSample, timeoutMs: number): boolean {
    if (moved !== this.#moved || !isWaiting) {
      this.#moved = moved;
      this.#since = nowMs;
      this.#isAsked = false;
      this.#hadItsTurn = false;
      return false;
    }
    if (!this.#isAsked) {
      if (nowMs - this.#since >= QUIET_MS) this.#ask();
      return false;
    }
    return this.#hadItsTurn && nowMs - this.#since >= timeoutMs && (this.#session.state.outboundQueueSize ?? 0) > 0;
  }

  #ask(): void {
    this.#isAsked = this.#session.ping(() => undefined);
    setImmediate(() => {
      this.#hadItsTurn = true;
    });
  }
}
