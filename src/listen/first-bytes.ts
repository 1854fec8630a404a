/**
 * Looks at the first bytes of a connection and puts them back, before any TLS stack sees it: a client that speaks plain
 * HTTP is told so, and a CA that proves a name is found by its ClientHello. Bounded in bytes, in time, and in connections
 * from addresses that would be refused otherwise. It closes nothing.
 */
import type { Socket } from 'node:net';
import { addressPath } from '../formats/address.ts';
import { ClientHelloReader, type ClientHello, type ClientHelloResult } from '../formats/client-hello.ts';
import { readOpening } from '../formats/opening.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { FairPlaces } from '../lib/fair-places.ts';
import { PausedReading } from './paused-reading.ts';
import { Unhurried } from './unhurried.ts';

const ACME_TLS_PROTOCOL = 'acme-tls/1';
/** Of addresses that `allow` refuses: a CA asks a handful of times for each name. */
const MOST_DENIED = 32;
const LONGEST_DENIED_MS = 5_000;
/** The longest ClientHello in the smallest segments in use (536 bytes) makes 31. Of who sends more the kernel collects some. */
const MOST_SEGMENTS = 32;
const COLLECT_MS = 20;

/** What was seen; every byte is unread again. */
export type Seen =
  /** TLS with its whole ClientHello, or, with null, what is not understood; whoever handles TLS finds out. */
  | { readonly kind: 'tls'; readonly hello: ClientHello | null }
  | { readonly kind: 'http' }
  | { readonly kind: 'proxy-protocol' }
  /** A ClientHello in more records than any client makes. */
  | { readonly kind: 'sliced' }
  | { readonly kind: 'timeout' }
  /** The client has left. */
  | { readonly kind: 'gone' }
  /** It was silent for the longest among those of the largest group of refused addresses, and another one came. */
  | { readonly kind: 'yielded' };

export interface Look {
  readonly limitMs: number;
  /** The address, when `allow` refuses it. */
  readonly denied: string | null;
}

/** RFC 8737 §3: a validation offers this protocol and no other. */
export function isChallengeHello(hello: ClientHello | null): hello is ClientHello {
  return hello !== null && hello.protocols.length === 1 && hello.protocols[0] === ACME_TLS_PROTOCOL;
}

export class FirstBytes {
  readonly #clock: Clock;
  readonly #unhurried: Unhurried;
  readonly #denied = new FairPlaces<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#unhurried = new Unhurried(clock);
  }

  /** Calls `done` once. */
  look(socket: Socket, { limitMs, denied }: Look, done: (seen: Seen) => void): void {
    // Made with the first byte: silence holds as little memory as can be.
    let reader: ClientHelloReader | null = null;
    const reading = new PausedReading(socket);
    let isOver = false;
    let segments = 0;
    let collecting: Timer | null = null;
    const end = (seen: Seen): void => {
      isOver = true;
      timer.cancel();
      collecting?.cancel();
      reading.resume();
      socket.off('readable', read);
      socket.off('close', gone);
      this.#denied.delete(giveWay);
      if (reader !== null && !socket.destroyed) socket.unshift(reader.taken());
      done(seen);
    };
    const read = (): void => {
      for (let chunk = next(socket); chunk !== null; chunk = next(socket)) {
        reader ??= new ClientHelloReader();
        const seen = seenOf(reader.add(chunk), reader);
        if (seen === null) continue;
        end(seen);
        return;
      }
      segments += 1;
      if (segments > MOST_SEGMENTS) collect();
    };
    const collect = (): void => {
      reading.pause();
      collecting?.cancel();
      collecting = this.#clock.after(COLLECT_MS, () => {
        reading.resume();
      });
    };
    const gone = (): void => {
      end({ kind: 'gone' });
    };
    const giveWay = (): void => {
      end({ kind: 'yielded' });
    };
    const timer = this.#clock.after(denied === null ? limitMs : Math.min(limitMs, LONGEST_DENIED_MS), () => {
      this.#unhurried.do(() => {
        if (!isOver) end({ kind: 'timeout' });
      });
    });
    if (denied !== null) this.#denied.enter(giveWay, addressPath(denied), { most: MOST_DENIED })?.();
    socket.on('readable', read);
    socket.once('close', gone);
  }
}

function seenOf(result: ClientHelloResult, reader: ClientHelloReader): Seen | null {
  if (result.kind === 'hello') return { kind: 'tls', hello: result.hello };
  if (result.kind === 'sliced') return { kind: 'sliced' };
  const opening = readOpening(reader.taken());
  if (opening === null) return null;
  if (opening === 'http' || opening === 'proxy-protocol') return { kind: opening };
  return opening === 'tls' && result.kind === 'incomplete' ? null : { kind: 'tls', hello: null };
}

function next(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}
