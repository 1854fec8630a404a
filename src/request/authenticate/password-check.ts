/**
 * Is this the password of that user? Cache, lockout and hashing put together; outlives reloads. It never hashes on the
 * main thread, never logs a password, and a stranger cannot tell by answer or effort whether a user exists.
 */
import type { Config, Hashing, Lockout as LockoutRules, Users } from '../../config/config.ts';
import { addressGroup, addressPath, EMPTY_ADDRESS_SET } from '../../formats/address-set.ts';
import { LONGEST_PASSWORD_BYTES } from '../../formats/password-hash.ts';
import type { Clock } from '../../lib/clock.ts';
import { escapeForeign } from '../../lib/foreign-text.ts';
import type { Log, Metrics } from '../../observe/ports.ts';
import type { DenyReason } from '../deny-reasons.ts';
import { changedUsers, createCredentialSet, type CredentialSet, type Subject } from './credentials.ts';
import { createHashLanes } from './hash-lanes.ts';
import type { HashJob, HashResult } from './hash-pool.ts';
import { createKeyedDigest } from './keyed-digest.ts';
import { createLockout, type FailedLogin, type FailureCount } from './lockout.ts';
import { createPasswordCache } from './password-cache.ts';
import { createProvedAddresses } from './proved-addresses.ts';
import { createReturning } from './returning.ts';
import { createSharedVerification } from './shared-verification.ts';

export interface Attempt {
  readonly user: string;
  readonly password: string;
  /** The client's address in normal form. */
  readonly address: string;
  /** The configuration under which the request came in. */
  readonly config: Config;
}

export type CheckOutcome =
  | { readonly kind: 'right'; readonly user: string }
  | {
      readonly kind: 'refused';
      readonly reason: 'credentials_wrong' | 'locked_out' | 'login_queue_full' | 'internal_error';
      readonly retryAfterSeconds?: number;
    };

export interface LockoutEntry {
  /** An address, or the /64 of an IPv6 address. */
  readonly address: string;
  /** Quoted; `unknown user` for a name that is not configured (those are not kept); null: every user of the address. */
  readonly user: string | null;
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
}

/** The same lockout for what is no password, such as one-time tokens: a wrong one is a failed login of its address. */
export interface TokenLockout {
  /**
   * Seconds for which the token of this address is not looked at; null: it is not locked out, or has come again and it is
   * its turn.
   */
  lockedFor(address: string, token: string, config: Config): number | null;
  /** A wrong token came. */
  failed(address: string, token: string): void;
  /** A token came that was not looked at. */
  refused(address: string): void;
}

export interface PasswordCheck {
  readonly tokens: TokenLockout;
  /** For proofs of servers' keys. */
  readonly serverKeys: TokenLockout;
  /**
   * Calls `done` once, at once when the answer is known, else after the password was hashed.
   * @returns a function for the client that has left: `done` is not called any more.
   */
  check(attempt: Attempt, done: (outcome: CheckOutcome) => void): () => void;
  /** To be called at start and after each reload: what has changed is forgotten. */
  applied(config: Config): void;
  lockouts(): readonly LockoutEntry[];
  /** @returns how many lockouts of the address (or its IPv6 /64) were lifted. */
  clearLockout(address: string): number;
  close(): Promise<void>;
}

export interface PasswordCheckOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** The compiled hash-worker; default: the one beside this file. */
  readonly workerUrl?: URL;
}

/** They stand in the place of the user in the log and in the list of lockouts. */
const TOKEN_USER = 'enrollment token';
const SERVER_KEY_USER = 'server key';
const SWEEP_EVERY_MS = 10_000;

/** Until a configuration was applied: nothing is hashed, nobody gets in. */
const NO_HASHING: Hashing = { workers: 0, queue: 0, queuePerAddress: 0, deadlineMs: 1000 };
const NO_LOCKOUT: LockoutRules = {
  attempts: Infinity,
  windowMs: 0,
  durationMs: 0,
  attemptsPerAddress: Infinity,
  exempt: EMPTY_ADDRESS_SET,
};

export function createPasswordCheck({ log, metrics, clock, ...options }: PasswordCheckOptions): PasswordCheck {
  const digest = createKeyedDigest();
  const cache = createPasswordCache(digest);
  const lockout = createLockout(NO_LOCKOUT, () => clock.monotonic());
  const proved = createProvedAddresses();
  const returning = createReturning(() => clock.monotonic());
  const pool = createHashLanes({ hashing: NO_HASHING, clock, log, metrics, ...options });
  const verifications = createSharedVerification(pool, () => {
    metrics.passwordChecked('abandoned');
  });
  const sets = new WeakMap<Users, CredentialSet>();
  let current: Config | null = null;
  const timer = clock.every(SWEEP_EVERY_MS, () => {
    lockout.sweep();
    metrics.lockoutsActive(lockout.lockedAddresses);
  });

  const nameDigest = (user: string) => digest('user', user);
  /** No users': the namespaces never mix. */
  const claimants = [TOKEN_USER, SERVER_KEY_USER].map((label) => ({ label, name: digest('no user', label) }));

  function credentialsOf(users: Users): CredentialSet {
    const known = sets.get(users);
    if (known !== undefined) return known;
    const set = createCredentialSet(users, digest);
    sets.set(users, set);
    return set;
  }

  function applied(config: Config): void {
    const changed = changedUsers(current?.users ?? new Map(), config.users);
    current = config;
    cache.renew(credentialsOf(config.users).generation);
    lockout.configure(config.lockout);
    lockout.liftUsers(new Set(changed.map(nameDigest)));
    proved.keep(config.users);
    pool.configure(config.hashing);
    if (config.users.size > 0) pool.warmUp();
  }

  /** A password that was taken away while it was being hashed does not log in. */
  const isStillAccepted = (user: string, lineId: string) =>
    current?.users.get(user)?.some(({ id }) => id === lineId) ?? false;

  /** A request of the new app can come before the reload has told us. */
  function catchUp(config: Config): void {
    if (current === null || config.generation > current.generation) applied(config);
  }

  function check(attempt: Attempt, done: (outcome: CheckOutcome) => void): () => void {
    catchUp(attempt.config);
    const { user, password, address } = attempt;
    const credentials = credentialsOf(attempt.config.users);
    const subject = credentials.subjectOf(user);
    const keys = subject.lines.map(({ id }) => cache.keyOf(credentials.generation, user, id, password));
    if (subject.isKnown && keys.some((key) => cache.has(key))) {
      metrics.passwordChecked('cached');
      done({ kind: 'right', user });
      return LEFT_ALREADY;
    }
    // From here on a configured user costs what a stranger's name costs, to the microsecond.
    if (subject.isKnown) digest('stand-in', user);
    const login = failedLogin(attempt, subject);
    const lockedUntil = lockout.lockedUntil(address, login.user);
    const isRepeat = lockout.isKnownWrong(login);
    if (isRepeat) metrics.passwordChecked('negative_cached');
    if (lockedUntil !== null && (isRepeat || !mayVerifyOnce(login, subject))) {
      done(refuseLocked(attempt, isRepeat, lockedUntil));
      return LEFT_ALREADY;
    }
    if (isRepeat || subject.lines.length === 0 || Buffer.byteLength(password) > LONGEST_PASSWORD_BYTES) {
      done(refuseWrong(attempt, login));
      return LEFT_ALREADY;
    }
    const job = { hashes: subject.lines.map(({ hash }) => hash), password, ...turnOf(login, subject) };
    const leave = verifications.verify(digest('job', user, password, ...keys), job, (result, isPresent) => {
      const outcome = conclude(result);
      if (isPresent) done(outcome);
    });
    if (leave !== null) return leave;
    metrics.passwordChecked('queue_full');
    noteRefused(login);
    done(refuseBusy());
    return LEFT_ALREADY;

    function conclude(result: HashResult): CheckOutcome {
      if (result.kind === 'failed') return { kind: 'refused', reason: 'internal_error' };
      if (result.kind === 'late') {
        noteRefused(login);
        return refuseBusy();
      }
      metrics.passwordChecked('hashed');
      const key = keys[result.matched];
      const line = subject.lines[result.matched];
      if (!subject.isKnown || key === undefined || line === undefined) return refuseWrong(attempt, login);
      if (!isStillAccepted(user, line.id)) return { kind: 'refused', reason: 'credentials_wrong' };
      cache.remember(key, credentials.generation);
      proved.proved(user, addressGroup(address));
      return { kind: 'right', user };
    }
  }

  /** A stranger's name takes the turn of the user for whom it stands, or the lock would tell who is configured. */
  function mayVerifyOnce(login: FailedLogin, { costsLike }: Subject): boolean {
    if (costsLike === null) return false;
    const mayVerify = lockout.takeVerification({ ...login, user: nameDigest(costsLike) }, cameBefore(login));
    if (!mayVerify) noteRefused(login);
    return mayVerify;
  }

  const cameBefore = ({ address, credential }: FailedLogin) => returning.cameBefore(addressGroup(address), credential);

  function noteRefused({ address, credential }: FailedLogin): void {
    const group = addressGroup(address);
    returning.note(group, credential, proved.has(group));
  }

  /** Where the password waits: known by its address alone, then in turn by user and by whether it comes for the first time. */
  function turnOf(login: FailedLogin, { costsLike }: Subject): Pick<HashJob, 'address' | 'party'> {
    const { address } = login;
    const group = addressGroup(address);
    const isReturning = cameBefore(login);
    const stranger = lockout.hasFailed(address) ? 'failing' : isReturning ? 'again' : 'new';
    const rank = proved.has(group) ? 'proved' : stranger;
    const visit = isReturning ? 'again' : 'first';
    return { address: group, party: { rank, path: [...addressPath(address), costsLike ?? '', visit] } };
  }

  /** The same wrong pair has the same digest until a line of the user changes. */
  function failedLogin({ user, password, address }: Attempt, { lines }: Subject): FailedLogin {
    const ids = lines.map(({ id }) => id);
    const credential = digest('wrong', addressGroup(address), user, password, ...ids);
    return { address, user: nameDigest(user), credential };
  }

  function refuseWrong(attempt: Attempt, login: FailedLogin): CheckOutcome {
    countWrong(attempt, login);
    return { kind: 'refused', reason: 'credentials_wrong' };
  }

  function countWrong(attempt: Pick<Attempt, 'user' | 'address'>, login: FailedLogin): void {
    const { counted, locked } = lockout.fail(login);
    logFailure(attempt, 'credentials_wrong', { isRepeat: !counted, locked });
    if (locked !== 'nothing') {
      metrics.lockedOut();
      metrics.lockoutsActive(lockout.lockedAddresses);
    }
  }

  function refuseLocked(attempt: Attempt, isRepeat: boolean, until: number): CheckOutcome {
    logFailure(attempt, 'locked_out', { isRepeat });
    return { kind: 'refused', reason: 'locked_out', retryAfterSeconds: secondsTo(until) };
  }

  const secondsTo = (until: number) => Math.max(1, Math.ceil((until - clock.monotonic()) / 1000));

  function refuseBusy(): CheckOutcome {
    const deadlineMs = current?.hashing.deadlineMs ?? NO_HASHING.deadlineMs;
    return { kind: 'refused', reason: 'login_queue_full', retryAfterSeconds: Math.ceil(deadlineMs / 1000) };
  }

  /**
   * One line a failed login, also when it is the one that locks. The order of the fields is documented in
   * docs/fail2ban.md: what the stranger typed comes last.
   */
  function logFailure(
    { user, address }: Pick<Attempt, 'user' | 'address'>,
    reason: DenyReason,
    { isRepeat, locked = 'nothing' }: { readonly isRepeat: boolean; readonly locked?: FailureCount['locked'] },
  ): void {
    const locks = locked === 'nothing' ? {} : { locks: locked };
    log.warn({ address, reason, repeat: isRepeat, ...locks, user: escapeForeign(user) }, 'login failed');
  }

  function lockoutOf(label: string): TokenLockout {
    const name = digest('no user', label);
    const loginOf = (address: string, token: string): FailedLogin => {
      return { address, user: name, credential: digest(`wrong ${label}`, addressGroup(address), token) };
    };
    return {
      lockedFor(address, token, config) {
        catchUp(config);
        const login = loginOf(address, token);
        const until = lockout.lockedUntil(address, name);
        if (until === null || (cameBefore(login) && lockout.takeVerification(login, true))) return null;
        noteRefused(login);
        return secondsTo(until);
      },
      failed(address, token) {
        countWrong({ user: label, address }, loginOf(address, token));
      },
      refused(address) {
        logFailure({ user: label, address }, 'locked_out', { isRepeat: false });
      },
    };
  }

  return {
    check,
    tokens: lockoutOf(TOKEN_USER),
    serverKeys: lockoutOf(SERVER_KEY_USER),
    applied,
    lockouts() {
      const names = new Map([...(current?.users.keys() ?? [])].map((name) => [nameDigest(name), escapeForeign(name)]));
      for (const { label, name } of claimants) names.set(name, label);
      const offset = clock.now() - clock.monotonic();
      return lockout.list().map(({ address, user, until }) => ({
        address,
        user: user === null ? null : (names.get(user) ?? 'unknown user'),
        untilMs: Math.round(until + offset),
      }));
    },
    clearLockout(address) {
      const lifted = lockout.clear(address);
      metrics.lockoutsActive(lockout.lockedAddresses);
      return lifted;
    },
    async close() {
      timer.cancel();
      await pool.close();
    },
  };
}

const LEFT_ALREADY = (): void => undefined;
