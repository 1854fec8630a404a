/** The failures and locks of one address. Pure; bounded by the ceiling of the address. */
import type { Lockout as LockoutRules } from '../../config/config.ts';
import type { Turns } from './verification-turns.ts';

export interface FailureCount {
  /** False: this wrong pair was counted in this window already. */
  readonly counted: boolean;
  /** What this failure has locked. */
  readonly locked: 'nothing' | 'user' | 'address';
}

export interface Lock {
  /** An address, or the /64 of an IPv6 address. */
  readonly address: string;
  /** The digest of the user's name; null: all users of the address. */
  readonly user: string | null;
  /** Monotonic milliseconds. */
  readonly until: number;
}

interface Failure {
  readonly credential: string;
  readonly user: string;
  readonly atMs: number;
  /** Which ceilings it still counts for: a failure locks once. */
  countsForUser: boolean;
  countsForAddress: boolean;
}

export interface AddressRecord {
  /** Oldest first; each wrong credential once within the window. */
  failures: Failure[];
  /** Locks by user, monotonic milliseconds. */
  readonly users: Map<string, number>;
  /** The lock of the whole address. */
  until: number | null;
  /** The verifications of the locked address, by user. */
  readonly turns: Map<string, Turns>;
}

export function createRecord(): AddressRecord {
  return { failures: [], users: new Map(), until: null, turns: new Map() };
}

export function isLocked({ until, users }: AddressRecord): boolean {
  return until !== null || users.size > 0;
}

export function isIdle(record: AddressRecord): boolean {
  return !isLocked(record) && record.failures.length === 0;
}

/** Forgets what is over. */
export function prune(record: AddressRecord, { windowMs }: LockoutRules, nowMs: number): void {
  const [oldest] = record.failures;
  if (oldest !== undefined && nowMs - oldest.atMs >= windowMs) {
    record.failures = record.failures.filter(({ atMs }) => nowMs - atMs < windowMs);
  }
  if (record.until !== null && record.until <= nowMs) record.until = null;
  for (const [user, until] of record.users) if (until <= nowMs) record.users.delete(user);
  if (!isLocked(record)) record.turns.clear();
}

/** The later of the two locks that can apply to the user; null for none. The record is pruned. */
export function lockedUntil({ until, users }: AddressRecord, user: string): number | null {
  const ofUser = users.get(user) ?? null;
  if (until === null || ofUser === null) return until ?? ofUser;
  return Math.max(until, ofUser);
}

/** Counts a wrong credential. The record is pruned; an exempt address is never locked, but still remembers. */
export function fail(
  record: AddressRecord,
  { user, credential }: { readonly user: string; readonly credential: string },
  rules: LockoutRules,
  nowMs: number,
  isExempt: boolean,
): FailureCount {
  const { failures } = record;
  if (failures.some((failure) => failure.credential === credential)) return { counted: false, locked: 'nothing' };
  // What fails under a lock is remembered as wrong, and does not make the lock any longer.
  const counts = !isExempt && lockedUntil(record, user) === null;
  failures.push({ credential, user, atMs: nowMs, countsForUser: counts, countsForAddress: counts });
  if (failures.length > Math.max(rules.attempts, rules.attemptsPerAddress)) failures.shift();
  if (!counts) return { counted: true, locked: 'nothing' };
  const until = nowMs + rules.durationMs;
  const ofAddress = failures.filter(({ countsForAddress }) => countsForAddress);
  if (ofAddress.length >= rules.attemptsPerAddress) {
    record.until = until;
    for (const failure of failures) failure.countsForAddress = failure.countsForUser = false;
    return { counted: true, locked: 'address' };
  }
  const ofUser = failures.filter((failure) => failure.countsForUser && failure.user === user);
  if (ofUser.length < rules.attempts) return { counted: true, locked: 'nothing' };
  record.users.set(user, until);
  for (const failure of ofUser) failure.countsForUser = false;
  return { counted: true, locked: 'user' };
}

export function liftUsers(record: AddressRecord, users: ReadonlySet<string>): void {
  record.failures = record.failures.filter(({ user }) => !users.has(user));
  for (const user of users) {
    record.users.delete(user);
    record.turns.delete(user);
  }
}

export function locksOf(address: string, { until, users }: AddressRecord): Lock[] {
  const locks: Lock[] = until === null ? [] : [{ address, user: null, until }];
  for (const [user, ofUser] of users) locks.push({ address, user, until: ofUser });
  return locks;
}
