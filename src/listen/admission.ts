/**
 * Places for connections, in all and per address; an IPv6 /64 counts as one. Where all are taken a newcomer gets the place
 * of one that has not authenticated, so that silence keeps nobody out. Pure bookkeeping: it closes nothing.
 */
import type { Limits } from '../config/config.ts';
import { addressPath } from '../formats/address.ts';
import { FairPlaces } from '../lib/fair-places.ts';
import type { DenyReason } from '../request/deny-reasons.ts';

export type Entry<Holder> =
  | { readonly kind: 'entered' }
  /** The other one has no place any more, and is to be closed for the reason. */
  | { readonly kind: 'replaced'; readonly holder: Holder; readonly reason: DenyReason }
  | { readonly kind: 'refused'; readonly reason: DenyReason };

type AdmissionLimits = Pick<Limits, 'connections' | 'connectionsPerAddress'>;

const ENTERED = { kind: 'entered' } as const;

export class Admission<Holder> {
  /** Not authenticated, the ones in their handshake included. */
  readonly #strangers = new FairPlaces<Holder>();
  readonly #known = new FairPlaces<Holder>();
  readonly #nets = new Map<Holder, readonly string[]>();
  readonly #byGroup = new Map<string, number>();
  readonly #isSilent: (holder: Holder) => boolean;

  /** @param isSilent whether it waits for nothing of ours: shaking hands, or without a request in flight. */
  constructor(isSilent: (holder: Holder) => boolean) {
    this.#isSilent = isSilent;
  }

  get total(): number {
    return this.#nets.size;
  }

  /** Takes a place for the newcomer, or says why there is none. Every place taken must be given back with `leave`. */
  enter(newcomer: Holder, address: string, limits: AdmissionLimits): Entry<Holder> {
    const nets = addressPath(address);
    const entry = this.#makeRoom(nets, limits);
    if (entry.kind === 'refused') return entry;
    if (entry.kind === 'replaced') this.leave(entry.holder);
    this.#nets.set(newcomer, nets);
    this.#strangers.add(newcomer, nets);
    const group = groupOf(nets);
    this.#byGroup.set(group, (this.#byGroup.get(group) ?? 0) + 1);
    return entry;
  }

  /** It has shown credentials: from now on it yields to nobody but when it rests and only such ones are left. */
  authenticated(holder: Holder): void {
    const nets = this.#nets.get(holder);
    if (nets === undefined || !this.#strangers.delete(holder)) return;
    this.#known.add(holder, nets);
  }

  /** Gives the place back; a second time means nothing. */
  leave(holder: Holder): void {
    const nets = this.#nets.get(holder);
    if (nets === undefined) return;
    this.#nets.delete(holder);
    if (!this.#strangers.delete(holder)) this.#known.delete(holder);
    const group = groupOf(nets);
    const held = this.#byGroup.get(group) ?? 0;
    if (held <= 1) this.#byGroup.delete(group);
    else this.#byGroup.set(group, held - 1);
  }

  #makeRoom(nets: readonly string[], limits: AdmissionLimits): Entry<Holder> {
    if ((this.#byGroup.get(groupOf(nets)) ?? 0) >= limits.connectionsPerAddress) {
      return this.#replace(nets, 'too_many_connections_from_address');
    }
    return this.#nets.size >= limits.connections ? this.#replace([], 'too_many_connections') : ENTERED;
  }

  #replace(within: readonly string[], reason: DenyReason): Entry<Holder> {
    const holder = this.#strangers.yielding(this.#isSilent, within) ?? this.#resting(within);
    return holder === null ? { kind: 'refused', reason } : { kind: 'replaced', holder, reason };
  }

  /** An answer in flight is never cut for a newcomer. */
  #resting(within: readonly string[]): Holder | null {
    const holder = this.#known.yielding(this.#isSilent, within);
    return holder !== null && this.#isSilent(holder) ? holder : null;
  }
}

function groupOf(nets: readonly string[]): string {
  return nets.at(-1) ?? '';
}
