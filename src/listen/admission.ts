/** Counts connections, in all and per address; an IPv6 /64 counts as one. Pure bookkeeping: it closes nothing. */
import type { Limits } from '../config/config.ts';
import { addressGroup } from '../formats/address-set.ts';
import type { DenyReason } from '../request/deny-reasons.ts';

export class Admission {
  readonly #byGroup = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Takes a place for the address, or says why there is none. Every place taken must be given back with `leave`. */
  enter(address: string, limits: Pick<Limits, 'connections' | 'connectionsPerAddress'>): DenyReason | null {
    if (this.#total >= limits.connections) return 'too_many_connections';
    const group = addressGroup(address);
    const held = this.#byGroup.get(group) ?? 0;
    if (held >= limits.connectionsPerAddress) return 'too_many_connections_from_address';
    this.#byGroup.set(group, held + 1);
    this.#total += 1;
    return null;
  }

  leave(address: string): void {
    const group = addressGroup(address);
    const held = this.#byGroup.get(group) ?? 0;
    if (held <= 1) this.#byGroup.delete(group);
    else this.#byGroup.set(group, held - 1);
    this.#total -= 1;
  }
}
