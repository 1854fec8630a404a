/**
 * Looks at the ClientHello of a connection and puts it back, before any TLS stack has chosen a certificate. Bounded in
 * bytes, in time, and in connections from addresses that would be refused otherwise.
 */
import type { Socket } from 'node:net';
import { ClientHelloReader } from '../formats/client-hello.ts';
import type { ClientHello } from '../formats/client-hello.ts';
import type { Clock } from '../lib/clock.ts';

const ACME_TLS_PROTOCOL = 'acme-tls/1';
/** Of addresses that `allow` refuses: a CA asks a handful of times for each name. */
const MOST_DENIED = 32;
const LONGEST_DENIED_MS = 5_000;

/** null: not understood, or the client has left; whoever handles TLS finds out. */
export type Peeked = ClientHello | 'timeout' | null;

export interface PeekOptions {
  readonly limitMs: number;
  readonly isDenied: boolean;
}

/** RFC 8737 §3: a validation offers this protocol and no other. */
export function isChallengeHello(peeked: Peeked): peeked is ClientHello {
  if (peeked === null || peeked === 'timeout') return false;
  return peeked.protocols.length === 1 && peeked.protocols[0] === ACME_TLS_PROTOCOL;
}

export class ClientHelloPeek {
  readonly #clock: Clock;
  #denied = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more connection of a refused address may be looked at. */
  hasRoom(): boolean {
    return this.#denied < MOST_DENIED;
  }

  /** Calls `done` once, with every byte unread again; not at all when the connection closes before. */
  look(socket: Socket, { limitMs, isDenied }: PeekOptions, done: (peeked: Peeked) => void): void {
    const reader = new ClientHelloReader();
    if (isDenied) this.#denied += 1;
    const stop = (): void => {
      timer.cancel();
      socket.off('readable', read);
      socket.off('close', stop);
      if (isDenied) this.#denied -= 1;
    };
    const end = (peeked: Peeked): void => {
      stop();
      const bytes = reader.taken();
      if (bytes.length > 0 && !socket.destroyed) socket.unshift(bytes);
      done(peeked);
    };
    const read = (): void => {
      for (let chunk = next(socket); chunk !== null; chunk = next(socket)) {
        const result = reader.add(chunk);
        if (result.kind === 'incomplete') continue;
        end(result.kind === 'hello' ? result.hello : null);
        return;
      }
    };
    const timer = this.#clock.after(isDenied ? Math.min(limitMs, LONGEST_DENIED_MS) : limitMs, () => {
      end('timeout');
    });
    socket.on('readable', read);
    socket.once('close', stop);
  }
}

function next(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}
