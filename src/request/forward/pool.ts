/**
 * The connections to one upstream: at most `maxConnections` requests at once, a bounded first-come-first-served queue
 * behind them, and the watch over bodies that fall silent. A line is one undici client with one connection.
 */
import type { Client } from 'undici';
import type { Clock, Timer } from '../../lib/clock.ts';

/** A connection that is lent to one request at a time. */
export interface Line {
  readonly client: Client;
  /** Whether this connection has carried a request before; undici reconnects behind our back, so it is asked anew. */
  used: boolean;
}

/** Somebody who wants a line. Exactly one of the two is called, once, unless they left before. */
export interface Waiter {
  admitted(line: Line): void;
  turnedAway(why: 'queue full' | 'waited too long'): void;
}

/** An answer that is under way: told to look at its clock. */
export interface Watched {
  tick(elapsedMs: number): void;
}

export interface PoolOptions {
  readonly maxConnections: number;
  readonly maxQueue: number;
  readonly queueTimeoutMs: number;
  readonly tickMs: number;
  readonly makeClient: () => Client;
  readonly clock: Clock;
}

export class Pool {
  readonly watched = new Set<Watched>();
  readonly #options: PoolOptions;
  readonly #idle: Line[] = [];
  /** Idle and lent. */
  readonly #lines = new Set<Line>();
  readonly #waiting = new Map<Waiter, Timer>();
  readonly #ticker: Timer;
  #active = 0;
  #retired: (() => void) | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#ticker = options.clock.every(options.tickMs, () => {
      for (const one of this.watched) one.tick(options.tickMs);
    });
  }

  get active(): number {
    return this.#active;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** Calls back at once when there is room, later when there is a place in the queue. */
  enter(waiter: Waiter): void {
    const { maxConnections, maxQueue, queueTimeoutMs, clock } = this.#options;
    if (this.#active < maxConnections) {
      this.#active += 1;
      waiter.admitted(this.#idle.pop() ?? this.#open());
      return;
    }
    if (this.#waiting.size >= maxQueue) {
      waiter.turnedAway('queue full');
      return;
    }
    const timer = clock.after(queueTimeoutMs, () => {
      this.#waiting.delete(waiter);
      waiter.turnedAway('waited too long');
    });
    this.#waiting.set(waiter, timer);
  }

  /** Gives up a place in the queue. */
  leave(waiter: Waiter): void {
    this.#waiting.get(waiter)?.cancel();
    this.#waiting.delete(waiter);
  }

  /** A connection that has never carried a request, in the place of one that turned out dead. */
  renew(line: Line): Line {
    this.#discard(line);
    return this.#open();
  }

  /** Takes a line back. One that failed or was aborted is thrown away with whatever state it is in. */
  giveBack(line: Line, healthy: boolean): void {
    if (!healthy) this.#discard(line);
    const [next] = this.#waiting;
    if (next !== undefined) {
      const [waiter, timer] = next;
      timer.cancel();
      this.#waiting.delete(waiter);
      waiter.admitted(healthy ? line : this.#open());
      return;
    }
    this.#active -= 1;
    if (healthy) this.#idle.push(line);
    if (this.#active === 0) this.#closeIfRetired();
  }

  /** Closes when the last request is done; `closed` is called then. */
  retire(closed: () => void): void {
    this.#retired = closed;
    if (this.#active === 0) this.#closeIfRetired();
  }

  /** Undoes `retire` for as long as the pool has not closed. */
  revive(): void {
    this.#retired = null;
  }

  /** Ends everything now; requests in flight fail. */
  async destroy(): Promise<void> {
    this.#ticker.cancel();
    for (const [waiter, timer] of this.#waiting) {
      timer.cancel();
      waiter.turnedAway('waited too long');
    }
    this.#waiting.clear();
    const clients = [...this.#lines].map(({ client }) => client);
    this.#idle.length = 0;
    this.#lines.clear();
    await Promise.all(clients.map((client) => client.destroy()));
  }

  #closeIfRetired(): void {
    if (this.#retired === null) return;
    this.#ticker.cancel();
    for (const line of this.#idle.splice(0)) this.#discard(line);
    this.#retired();
  }

  #open(): Line {
    const line: Line = { client: this.#options.makeClient(), used: false };
    line.client.on('connect', () => {
      line.used = false;
    });
    this.#lines.add(line);
    return line;
  }

  #discard(line: Line): void {
    this.#lines.delete(line);
    // A client that is destroyed twice, or whose socket fails meanwhile, has nothing left to tell.
    line.client.destroy().catch(() => undefined);
  }
}
