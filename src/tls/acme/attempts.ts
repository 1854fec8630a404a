/**
 * Which directory is asked next, and from when on: the back-off of each, its Retry-After, the limits that CAs set, and
 * the staging directory as a trial before a real one is asked again. Pure.
 */
import { backOffMs } from './backoff.ts';
import type { CertificateState, RecordedFailure } from './contract.ts';
import type { Directories } from './schedule.ts';

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;
/** Let's Encrypt: 5 certificates for the same set of names in 7 days. */
const CERTIFICATES_PER_WEEK = 5;
/** Let's Encrypt: 5 failed validations per name and hour; one is left for the operator's own try. */
const FAILED_VALIDATIONS_PER_HOUR = 4;
/** A staging directory that is broken itself does not stand in the way for ever. */
const MOST_TRIALS = 3;

/** In a recorded failure: nobody knows which directory it was. */
export const ANY_DIRECTORY = '';

export interface Attempt {
  readonly role: 'real' | 'staging';
  readonly url: string;
  readonly at: number;
  /** Why it is not made earlier. */
  readonly why: string;
}

interface Bound {
  readonly at: number;
  readonly why: string;
}

/** The earliest attempt; of several at once that of the first directory. */
export function nextAttempt(state: CertificateState, now: number, directories: Directories): Attempt {
  const candidates = directories.real.map((url) => attemptAt(url, state, now, directories));
  const next = candidates.reduce<Attempt | null>((best, other) => {
    return best === null || Math.max(other.at, now) < Math.max(best.at, now) ? other : best;
  }, null);
  if (next === null) throw new TypeError('there is no directory to ask');
  return next;
}

function attemptAt(url: string, state: CertificateState, now: number, directories: Directories): Attempt {
  const { failures, stagedAt } = state;
  const bounds = [limitsOf(url, state, directories)];
  const lastIndex = failures.findLastIndex((failure) => failure.role === 'real' && isAbout(failure, url));
  const last = failures[lastIndex];
  if (last === undefined) return { role: 'real', url, ...latest(bounds) };
  const trials = failures.slice(lastIndex + 1).filter(isTrial);
  const lastTrial = trials.at(-1);
  // What never reached the CA says nothing about what is set up here, and costs nothing there.
  const proved = stagedAt !== null || isFree(last) || trials.length >= MOST_TRIALS;
  const staging = proved || (lastTrial !== undefined && isFree(lastTrial)) ? null : directories.staging;
  if (stagedAt === null) {
    const newest = lastTrial ?? last;
    const count = failures.filter((failure) => isAbout(failure, url) || isTrial(failure)).length;
    const remainingMs = state.pair === null ? null : state.pair.notAfter - now;
    const ms = backOffMs({ failures: count, at: newest.at, remainingMs, isFree: isFree(newest) });
    bounds.push({ at: newest.at + ms, why: `after ${count} failed ${count === 1 ? 'attempt' : 'attempts'}` });
  }
  if (staging === null) return { role: 'real', url, ...latest(bounds) };
  bounds.push(limitsOf(staging, state, directories));
  return { role: 'staging', url: staging, ...latest(bounds) };
}

function limitsOf(url: string, { failures, orders, pair }: CertificateState, { neighbours }: Directories): Bound {
  const bounds: Bound[] = [{ at: 0, why: 'nothing stands in the way' }];
  const own = failures.filter((failure) => isAbout(failure, url));
  for (const { retryAt } of own) {
    if (retryAt !== null) bounds.push({ at: retryAt, why: 'the CA asks to wait (Retry-After)' });
  }
  const validations = [...own, ...(neighbours ?? []).filter(({ directory }) => directory === url)]
    .filter(({ kind }) => kind !== 'unreachable' && kind !== 'rate-limited')
    .map(({ at }) => at);
  const validation = nthNewest(validations, FAILED_VALIDATIONS_PER_HOUR);
  if (validation !== null) bounds.push({ at: validation + HOUR_MS, why: 'CAs limit failed validations to 5 an hour' });
  const issued = orders.filter(({ directory }) => directory === url).map(({ at }) => at);
  const certificate = nthNewest(issued, CERTIFICATES_PER_WEEK);
  if (certificate !== null) bounds.push({ at: certificate + WEEK_MS, why: 'CAs limit the same names to 5 in 7 days' });
  const newest = nthNewest(
    orders.map(({ at }) => at),
    1,
  );
  if (pair !== null && newest !== null) {
    // A clock that runs ahead sees what was issued as ended, and would order again at once, anywhere.
    const pause = Math.min(HOUR_MS, (pair.notAfter - pair.notBefore) / 4);
    bounds.push({ at: newest + pause, why: 'one was issued just now' });
  }
  return latest(bounds);
}

function nthNewest(times: readonly number[], n: number): number | null {
  return times.toSorted((a, b) => b - a)[n - 1] ?? null;
}

function latest(bounds: readonly Bound[]): Bound {
  return bounds.reduce((best, other) => (other.at > best.at ? other : best));
}

function isAbout({ directory }: RecordedFailure, url: string): boolean {
  return directory === url || directory === ANY_DIRECTORY;
}

function isTrial({ role }: RecordedFailure): boolean {
  return role === 'staging';
}

function isFree({ kind }: RecordedFailure): boolean {
  return kind === 'unreachable';
}
