/**
 * Who has failed too often. A pure state machine with an injected clock: wrong credentials are counted by address and
 * user, beside a ceiling for the whole address. Knows users and credentials only as keyed digests. Memory is bounded;
 * what is locked is never forgotten before what is not.
 */
import type { Lockout as LockoutRules } from '../../config/config.ts';
import { addressGroup } from '../../formats/address-set.ts';
import {
  createRecord,
  fail,
  isIdle,
  isLocked,
  liftUsers,
  locksOf,
  lockedUntil,
  prune,
  type AddressRecord,
  type FailureCount,
  type Lock,
} from './lockout-record.ts';
import { createTurns, takeTurn } from './verification-turns.ts';

export type { FailureCount, Lock } from './lockout-record.ts';

/** Digests, so that names and passwords of strangers are neither kept nor long. */
export interface FailedLogin {
  readonly address: string;
  readonly user: string;
  /** Of address, user and password: the same wrong pair has the same one. */
  readonly credential: string;
}

export interface Lockout {
  configure(rules: LockoutRules): void;
  /** Monotonic milliseconds until which this user cannot log in from this address; null: not locked. */
  lockedUntil(address: string, user: string): number | null;
  /** Whether this credential is known to be wrong: answered without hashing. */
  isKnownWrong(login: FailedLogin): boolean;
  /** Whether a wrong credential came from the address within the window, or it is locked. */
  hasFailed(address: string): boolean;
  /**
   * Takes a verification that a locked address keeps every 15 s for a user, so that a scraper behind it comes back after
   * a restart: one for what is new, one in turn for credentials that were refused before. @returns false when it was taken.
   */
  takeVerification(login: FailedLogin, isReturning: boolean): boolean;
  fail(login: FailedLogin): FailureCount;
  /** The lines of these users have changed: what was wrong for them may be right now. */
  liftUsers(users: ReadonlySet<string>): void;
  /** Forgets everything of an address, or of the /64 that holds it. @returns how many locks that has lifted. */
  clear(address: string): number;
  list(): Lock[];
  /** Forgets what is over. */
  sweep(): void;
  /** How many addresses are remembered, and how many of them are locked in whole or for a user. */
  readonly addresses: number;
  readonly lockedAddresses: number;
}

/** Of each sort, locked and not: a flood of strangers displaces other strangers, and a lock yields to newer locks only. */
const MOST_ADDRESSES = 16_384;

export function createLockout(
  initial: LockoutRules,
  now: () => number,
  mostAddresses: number = MOST_ADDRESSES,
): Lockout {
  let rules = initial;
  // In the order of the last failure, and of locking: what may be forgotten first is found at once.
  const free = new Map<string, AddressRecord>();
  const locked = new Map<string, AddressRecord>();

  /** Puts a record where it belongs; the newest of its sort. */
  function place(group: string, record: AddressRecord): void {
    if (isLocked(record) && locked.has(group)) return;
    free.delete(group);
    locked.delete(group);
    if (isIdle(record)) return;
    const home = isLocked(record) ? locked : free;
    home.set(group, record);
    const [oldest] = home.keys();
    if (home.size > mostAddresses && oldest !== undefined) home.delete(oldest);
  }

  function find(group: string): AddressRecord | undefined {
    const record = locked.get(group) ?? free.get(group);
    if (record === undefined) return undefined;
    prune(record, rules, now());
    if (isIdle(record) || isLocked(record) !== locked.has(group)) place(group, record);
    return record;
  }

  function sweep(): void {
    for (const group of [...free.keys(), ...locked.keys()]) find(group);
  }

  function list(): Lock[] {
    sweep();
    return [...locked].flatMap(([group, record]) => locksOf(group, record));
  }

  return {
    configure(next) {
      rules = next;
    },
    lockedUntil(address, user) {
      if (rules.exempt.has(address)) return null;
      const record = find(addressGroup(address));
      return record === undefined ? null : lockedUntil(record, user);
    },
    isKnownWrong({ address, credential }) {
      return find(addressGroup(address))?.failures.some((failure) => failure.credential === credential) ?? false;
    },
    hasFailed: (address) => find(addressGroup(address)) !== undefined,
    takeVerification({ address, user, credential }, isReturning) {
      const record = find(addressGroup(address));
      if (record === undefined) return true;
      const turns = record.turns.get(user) ?? createTurns();
      record.turns.set(user, turns);
      return takeTurn(turns, credential, isReturning, now());
    },
    fail({ address, user, credential }) {
      const group = addressGroup(address);
      const record = find(group) ?? createRecord();
      const count = fail(record, { user, credential }, rules, now(), rules.exempt.has(address));
      if (count.counted) place(group, record);
      return count;
    },
    liftUsers(users) {
      for (const [group, record] of [...free, ...locked]) {
        liftUsers(record, users);
        find(group);
      }
    },
    clear(address) {
      const group = addressGroup(address.replace(/\/64$/, ''));
      const record = find(group);
      free.delete(group);
      locked.delete(group);
      return record === undefined ? 0 : locksOf(group, record).length;
    },
    list,
    sweep,
    get addresses() {
      return free.size + locked.size;
    },
    get lockedAddresses() {
      return locked.size;
    },
  };
}
