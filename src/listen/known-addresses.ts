/**
 * Address groups from which a connection has authenticated lately: what they begin is not kept waiting for strangers. Only
 * those who log in get into it, and one with a whole network at their disposal displaces their own addresses first.
 */
import { addressGroup, addressPath } from '../formats/address.ts';
import type { Clock } from '../lib/clock.ts';
import { FairPlaces } from '../lib/fair-places.ts';

/** Longer than scrape intervals and the lives of kept connections in use. */
const LATELY_MS = 24 * 60 * 60 * 1000;
const MOST_GROUPS = 1024;

export class KnownAddresses {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #since = new Map<string, number>();
  readonly #places = new FairPlaces<string>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** A connection from there has authenticated, or one that had has ended. */
  seen(address: string): void {
    const group = addressGroup(address);
    this.#forget(group);
    this.#forget(this.#places.enter(group, addressPath(address), { most: MOST_GROUPS }));
    this.#since.set(group, this.#clock.monotonic());
  }

  has(address: string): boolean {
    if (this.#since.size === 0) return false;
    const since = this.#since.get(addressGroup(address));
    return since !== undefined && this.#clock.monotonic() - since < LATELY_MS;
  }

  #forget(group: string | null): void {
    if (group === null) return;
    this.#since.delete(group);
    this.#places.delete(group);
  }
}
