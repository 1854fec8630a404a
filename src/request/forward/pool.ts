/**
 * The connections to one upstream: at most `maxConnections` requests at once, shared by party with a reserve that no single
 * one can take; a bounded queue behind them, in turn; and the watch over what falls silent. A line is one undici client
 * with one connection.
 */
import type { Socket } from 'node:net';
import type { Client } from 'undici';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { ReplyRepair } from './reply-repair.ts';
import { Turns } from './turns.ts';

/** A connection that is lent to one request at a time. */
export interface Line {
  readonly client: Client;
  /** Whether this connection has carried a request before; undici reconnects behind our back, so it is asked anew. */
  used: boolean;
  /** Its connection; null before the first. */
  socket: Socket | null;
  /** What reads its answers leniently; null: nothing does. */
  repair: ReplyRepair | null;
}

/** A request that wants a line. Exactly one of the two is called, once, unless it left before. */
export interface Waiter {
  /** Against whose share it counts; see request/party.ts. */
  readonly party: string;
  admitted(line: Line): void;
  turnedAway(why: 'queue full' | 'waited too long'): void;
  /** How long it has held its line without need, in milliseconds: its client does not read, or it waits for events. */
  readonly idleMs: number;
  /** Whether it is a stream of events, which a client opens again by itself. */
  readonly isEventStream: boolean;
  /** Gives its line up, because others wait for one. */
  yieldLine(): void;
}

/** An answer that is under way: told to look at its clock. */
export interface Watched {
  tick(elapsedMs: number): void;
}

/** @param connected told of each connection that the client makes. */
export type MakeClient = (connected: (socket: Socket, repair: ReplyRepair | null) => void) => Client;

export interface PoolOptions {
  readonly maxConnections: number;
  readonly maxQueue: number;
  readonly queueTimeoutMs: number;
  readonly tickMs: number;
  readonly makeClient: MakeClient;
  readonly clock: Clock;
}

/** Of the lines that are free a party may come to hold three times as many: alone three quarters of all of them. */
const SHARE_OF_FREE = 3;
/** Who holds a line without need for this long gives it to a party that has none. */
const YIELDS_AFTER_MS = 2000;

export class Pool {
  readonly watched = new Set<Watched>();
  readonly #options: PoolOptions;
  readonly #idle: Line[] = [];
  /** Idle and lent. */
  readonly #lines = new Set<Line>();
  readonly #lent = new Set<Waiter>();
  /** How many lines each party has; only those that have some. */
  readonly #held = new Map<string, number>();
  readonly #waiting: Turns<Waiter>;
  readonly #patience = new Map<Waiter, Timer>();
  readonly #ticker: Timer;
  #retired: (() => void) | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#waiting = new Turns(options.maxQueue);
    this.#ticker = options.clock.every(options.tickMs, () => {
      for (const one of this.watched) one.tick(options.tickMs);
      if (this.#waiting.size > 0) this.#relieve();
    });
  }

  get active(): number {
    return this.#lent.size;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** Calls back at once when there is room, later when there is a place in the queue. */
  enter(waiter: Waiter): void {
    if (this.#mayHold(waiter.party)) {
      this.#lend(waiter);
      return;
    }
    const displaced = this.#waiting.push(waiter);
    if (displaced !== waiter) {
      const { queueTimeoutMs, clock } = this.#options;
      const timer = clock.after(queueTimeoutMs, () => {
        this.leave(waiter);
        waiter.turnedAway('waited too long');
      });
      this.#patience.set(waiter, timer);
    }
    if (displaced === null) return;
    this.#forget(displaced);
    displaced.turnedAway('queue full');
  }

  /** Gives up a place in the queue. */
  leave(waiter: Waiter): void {
    this.#waiting.remove(waiter);
    this.#forget(waiter);
  }

  #forget(waiter: Waiter): void {
    this.#patience.get(waiter)?.cancel();
    this.#patience.delete(waiter);
  }

  /** Whether a party may have one more. The last line is for one that has none. */
  #mayHold(party: string): boolean {
    const free = this.#options.maxConnections - this.#lent.size;
    const held = this.#held.get(party) ?? 0;
    return held === 0 ? free > 0 : free > 1 && held < SHARE_OF_FREE * free;
  }

  #lend(waiter: Waiter): void {
    this.#lent.add(waiter);
    this.#held.set(waiter.party, (this.#held.get(waiter.party) ?? 0) + 1);
    waiter.admitted(this.#idle.pop() ?? this.#open());
  }

  /** For each party that waits without a line, the greediest gives up the one that it needs least. */
  #relieve(): void {
    const yieldsAfterMs = Math.min(YIELDS_AFTER_MS, this.#options.queueTimeoutMs / 2);
    for (const party of [...this.#waiting.parties]) {
      const held = this.#held.get(party) ?? 0;
      let chosen: Waiter | null = null;
      for (const one of this.#lent) {
        if (one.idleMs < yieldsAfterMs) continue;
        // Among its own only a stream of events: else a client's second request would end its first.
        const isFair = one.party === party ? one.isEventStream : held === 0;
        if (isFair && (chosen === null || this.#yieldsBefore(one, chosen))) chosen = one;
      }
      chosen?.yieldLine();
    }
  }

  #yieldsBefore(one: Waiter, other: Waiter): boolean {
    const more = (this.#held.get(one.party) ?? 0) - (this.#held.get(other.party) ?? 0);
    return more === 0 ? one.idleMs > other.idleMs : more > 0;
  }

  /** A connection that has never carried a request, in the place of one that turned out dead. */
  renew(line: Line): Line {
    this.#discard(line);
    return this.#open();
  }

  /** Takes a line back. One that failed or was aborted is thrown away with whatever state it is in. */
  giveBack(waiter: Waiter, line: Line, healthy: boolean): void {
    if (healthy) this.#idle.push(line);
    else this.#discard(line);
    this.#lent.delete(waiter);
    const left = (this.#held.get(waiter.party) ?? 0) - 1;
    if (left > 0) this.#held.set(waiter.party, left);
    else this.#held.delete(waiter.party);
    // More than one: with a line free, the shares of all have grown.
    while (this.#waiting.size > 0) {
      const next = this.#waiting.next((party) => (this.#mayHold(party) ? (this.#held.get(party) ?? 0) : null));
      if (next === null) break;
      this.#forget(next);
      this.#lend(next);
    }
    if (this.#lent.size === 0) this.#closeIfRetired();
  }

  /** Closes when the last request is done; `closed` is called then. */
  retire(closed: () => void): void {
    this.#retired = closed;
    if (this.#lent.size === 0) this.#closeIfRetired();
  }

  /** Undoes `retire` for as long as the pool has not closed. */
  revive(): void {
    this.#retired = null;
  }

  /** Ends everything now; requests in flight fail. */
  async destroy(): Promise<void> {
    this.#ticker.cancel();
    for (const waiter of this.#waiting.takeAll()) {
      this.#forget(waiter);
      waiter.turnedAway('waited too long');
    }
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
    const connected = (socket: Socket, repair: ReplyRepair | null): void => {
      line.used = false;
      line.socket = socket;
      line.repair = repair;
    };
    const line: Line = { client: this.#options.makeClient(connected), used: false, socket: null, repair: null };
    this.#lines.add(line);
    return line;
  }

  #discard(line: Line): void {
    this.#lines.delete(line);
    // A client that is destroyed twice, or whose socket fails meanwhile, has nothing left to tell.
    line.client.destroy().catch(() => undefined);
  }
}
