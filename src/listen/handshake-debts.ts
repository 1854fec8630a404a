/**
 * What handshakes with client certificates have cost, by address and by the nets around it. OpenSSL verifies all the
 * certificates that a client sends, up to 100 kB of them, within one turn of the event loop: 71 RSA certificates made for
 * it take half a second. A debt is counted in bytes read, and goes away by itself. It closes nothing.
 */
import { addressGroup, addressPath } from '../formats/address.ts';
import type { Clock } from '../lib/clock.ts';

/** `bounded`: let in, but its handshake may read `BOUNDED_BYTES`. */
export type Treatment = 'free' | 'bounded' | 'refused';

/** A ClientHello, three certificates of RSA-4096 and a signature; seven that cost much take 50 ms. */
export const BOUNDED_BYTES = 8 * 1024;
/** More than any chain in use; a handshake that read so much owes it even when it went well. */
export const COSTLY_BYTES = 24 * 1024;
const FORGIVEN_PER_SECOND = 4 * 1024;
const BOUNDED_FROM = 32 * 1024;
/** For everybody: three large ones, from wherever they come. */
const ALL_BOUNDED_FROM = 256 * 1024;
/** Of an address (an IPv6 /64) only, never of a net: a hundred refused certificates of ordinary size. */
const REFUSED_FROM = 256 * 1024;
const MOST_GROUPS = 4096;
const ALL = '*';

interface Debt {
  readonly bytes: number;
  readonly atMs: number;
}

export class HandshakeDebts {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** The one that has not grown for the longest is the first. */
  readonly #debts = new Map<string, Debt>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Groups that are remembered. */
  get size(): number {
    return this.#debts.size;
  }

  /** A handshake is over. @param isRefused it failed, or its certificate was refused. */
  ended(address: string, bytesRead: number, isRefused: boolean): void {
    if (!isRefused && bytesRead <= COSTLY_BYTES) return;
    const atMs = this.#clock.monotonic();
    for (const group of [...addressPath(address), ALL]) {
      const bytes = this.#owed(group) + bytesRead;
      this.#debts.delete(group);
      if (this.#debts.size >= MOST_GROUPS) this.#forgetFirst();
      this.#debts.set(group, { bytes, atMs });
    }
  }

  treatment(address: string): Treatment {
    if (this.#debts.size === 0) return 'free';
    if (this.#owed(addressGroup(address)) > REFUSED_FROM) return 'refused';
    return this.isIndebted(address) || this.#owed(ALL) > ALL_BOUNDED_FROM ? 'bounded' : 'free';
  }

  /** Whether it is the address, or a net around it, that owes. */
  isIndebted(address: string): boolean {
    return addressPath(address).some((group) => this.#owed(group) > BOUNDED_FROM);
  }

  #owed(group: string): number {
    const debt = this.#debts.get(group);
    if (debt === undefined) return 0;
    const forgiven = ((this.#clock.monotonic() - debt.atMs) / 1000) * FORGIVEN_PER_SECOND;
    return Math.max(0, debt.bytes - forgiven);
  }

  #forgetFirst(): void {
    const [first] = this.#debts.keys();
    if (first !== undefined) this.#debts.delete(first);
  }
}
