/**
 * What connections may cost that have not authenticated, all of them together: handshakes begin in turn, and who has asked
 * for more than there is time for is not read for a while, below TLS and HTTP/2, so that the kernel's window stops the
 * sender. Addresses that have logged in lately have a share of their own, where strangers are not in their way.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../lib/clock.ts';
import { KnownAddresses } from './known-addresses.ts';
import type { LiveConnection } from './live-connection.ts';
import { PausedReading } from './paused-reading.ts';
import { WorkTurns } from './work-turns.ts';

const SHARE = { part: 0.15, burstMs: 20 };
const SHARE_OF_KNOWN = { part: 0.25, burstMs: 20 };
/** With a key on the curve P-256; one of RSA takes longer, and is measured. */
const HANDSHAKE_MS = 1;
/** Of a request that is refused at once, with its log line and its answer. */
const REQUEST_MS = 0.25;
/**
 * Headers, frames and whatever else OpenSSL and HTTP/2 have to read: 12 ms for a megabyte, and as much again and more for
 * the garbage collector, which has to walk what is held until its answer was read.
 */
const MS_PER_BYTE = 0.04 / 1024;
/** Beyond it nothing that strangers have sent is read until it is their turn: what came at once would take too long. */
const STOP_ALL_MS = 10;
/** What was measured may be another program's turn of the processor. */
const LONGEST_MS = 20;
/** Frames that end in no request are seen by their bytes only. */
const LOOK_MS = 250;

interface Open {
  readonly connection: LiveConnection;
  readonly address: string;
  readonly raw: Socket;
  readonly reading: PausedReading;
  /** Requests of HTTP/2 that had been read when it was paused, at most as many as it may have open streams. */
  readonly waiting: (() => void)[];
  /** While it waits for its turn. */
  leaveRow: (() => void) | null;
  /** Accounted for. */
  bytesRead: number;
  /** Milliseconds of work for what came last: one request, or all that were read before it was paused. */
  spentMs: number;
  /** Accounted for before it was done. */
  prepaidMs: number;
}

export class Strangers {
  readonly #clock: Clock;
  readonly #known: KnownAddresses;
  readonly #turns: WorkTurns;
  readonly #turnsOfKnown: WorkTurns;
  readonly #open = new Map<LiveConnection, Open>();
  #timer: Timer | null = null;

  /** @param deferred called when a handshake or a connection has to wait. */
  constructor(clock: Clock, deferred: () => void) {
    this.#clock = clock;
    this.#known = new KnownAddresses(clock);
    this.#turns = new WorkTurns(clock, SHARE, deferred);
    this.#turnsOfKnown = new WorkTurns(clock, SHARE_OF_KNOWN, deferred);
  }

  /** Whether a connection from there has authenticated lately. */
  isKnown(address: string): boolean {
    return this.#known.has(address);
  }

  /** Begins a handshake when it is its turn. @returns the way out of the row. */
  shakeHands(address: string, begin: () => void): () => void {
    const turns = this.#turnsOf(address);
    return turns.take(address, () => {
      const startedAt = this.#clock.monotonic();
      begin();
      // Node hands the ClientHello to OpenSSL behind it.
      queueMicrotask(() => {
        turns.worked(this.#took(startedAt, HANDSHAKE_MS));
      });
    });
  }

  /** A handshake has cost more than was told at its beginning. */
  handshakeCost(address: string, ms: number): void {
    this.#turnsOf(address).worked(ms);
  }

  /** @param raw below TLS. */
  watch(connection: LiveConnection, raw: Socket): void {
    const open: Open = {
      connection,
      address: connection.facts.peer,
      raw,
      reading: new PausedReading(raw),
      waiting: [],
      leaveRow: null,
      bytesRead: raw.bytesRead,
      spentMs: 0,
      prepaidMs: 0,
    };
    this.#open.set(connection, open);
    this.#timer ??= this.#clock.every(LOOK_MS, () => {
      this.#look();
    });
    connection.whenAuthenticated(() => {
      this.#known.seen(open.address);
      this.#forget(open);
      for (const work of open.waiting.splice(0)) work();
    });
    raw.once('close', () => {
      if (connection.authenticated) this.#known.seen(open.address);
      this.#forget(open);
    });
  }

  /** Handles a request, in its turn where its connection has not authenticated and strangers have asked for too much. */
  handle(connection: LiveConnection, work: () => void): void {
    const open = this.#open.get(connection);
    if (open === undefined) {
      work();
    } else if (open.reading.isPaused && connection.session !== null) {
      open.waiting.push(work);
      this.#countBytes(open);
      this.#pause(open);
    } else {
      this.#work(open, work);
    }
  }

  #work(open: Open, work: () => void): void {
    const startedAt = this.#clock.monotonic();
    work();
    if (open.connection.authenticated) return;
    this.#charge(open, this.#took(startedAt, REQUEST_MS));
    this.#countBytes(open);
    this.#pauseInDebt(open);
  }

  #took(startedAt: number, atLeastMs: number): number {
    return Math.max(atLeastMs, Math.min(LONGEST_MS, this.#clock.monotonic() - startedAt));
  }

  #turnsOf(address: string): WorkTurns {
    return this.#known.has(address) ? this.#turnsOfKnown : this.#turns;
  }

  #countBytes(open: Open): void {
    const { bytesRead } = open.raw;
    if (bytesRead === open.bytesRead) return;
    this.#charge(open, (bytesRead - open.bytesRead) * MS_PER_BYTE);
    open.bytesRead = bytesRead;
  }

  #charge(open: Open, ms: number): void {
    const prepaid = Math.min(ms, open.prepaidMs);
    open.prepaidMs -= prepaid;
    open.spentMs = open.reading.isPaused ? open.spentMs + ms : ms;
    this.#turnsOf(open.address).worked(ms - prepaid);
  }

  /** As much as last time is accounted for at once, or all that wait would be read before the first has cost anything. */
  #resume(open: Open): void {
    const prepaidMs = Math.min(LONGEST_MS, open.spentMs);
    this.#turnsOf(open.address).worked(prepaidMs - open.prepaidMs);
    open.prepaidMs = prepaidMs;
    open.spentMs = 0;
    open.reading.resume();
  }

  #pauseInDebt(open: Open): void {
    const turns = this.#turnsOf(open.address);
    const { debtMs } = turns;
    if (debtMs > 0 || open.reading.isPaused) this.#pause(open);
    if (debtMs <= STOP_ALL_MS) return;
    for (const other of this.#open.values()) {
      if (!other.reading.isPaused && this.#turnsOf(other.address) === turns) this.#pause(other);
    }
  }

  #pause(open: Open): void {
    open.reading.pause();
    open.leaveRow ??= this.#turnsOf(open.address).wait(open.address, () => {
      open.leaveRow = null;
      const work = open.waiting.shift();
      if (work !== undefined) this.#work(open, work);
      else this.#resume(open);
    });
  }

  #look(): void {
    for (const open of this.#open.values()) {
      const before = open.bytesRead;
      this.#countBytes(open);
      if (open.bytesRead !== before) this.#pauseInDebt(open);
    }
  }

  #forget(open: Open): void {
    open.leaveRow?.();
    open.leaveRow = null;
    open.reading.resume();
    this.#open.delete(open.connection);
    if (this.#open.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
