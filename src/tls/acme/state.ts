/**
 * What is remembered of one certificate beside the certificate itself, as JSON and back, and the rules by which it
 * changes. Pure. What is not exactly what we write is refused, never half believed.
 */
import * as z from 'zod';
import { parsed, unparsed } from '../../lib/problem.ts';
import type { Parsed } from '../../lib/problem.ts';
import type { CertificateState, RecordedFailure } from './contract.ts';

export const STATE_VERSION = 1;
const WEEK_MS = 7 * 86_400_000;
const MOST_FAILURES = 48;
const MOST_ORDERS = 64;
/** Clocks that are set right jump by seconds; what is further ahead was written by a clock that was wrong. */
const TOLERANCE_MS = 5 * 60_000;

export const EMPTY_STATE: CertificateState = {
  pair: null,
  issuedBy: null,
  origin: null,
  ari: null,
  ariSilentUntil: null,
  failures: [],
  orders: [],
  stagedAt: null,
};

const time = z.number().int().min(0).max(8.64e15);
const text = z.string().max(4096);
const failureKind = z.enum([
  'unreachable',
  'refused',
  'rate-limited',
  'challenge',
  'account',
  'garbage',
  'timeout',
  'interrupted',
  'failed',
]);
const ledgerSchema = z.strictObject({
  version: z.literal(STATE_VERSION),
  names: z.array(text).min(1),
  ari: z
    .strictObject({ start: time, end: time, chosen: time, askAgainAt: time, explanationUrl: text.nullable() })
    .nullable(),
  ariSilentUntil: time.nullable(),
  failures: z
    .array(
      z.strictObject({
        at: time,
        directory: text,
        role: z.enum(['real', 'staging']),
        kind: failureKind,
        reason: text,
        retryAt: time.nullable(),
      }),
    )
    .max(1000),
  orders: z.array(z.strictObject({ at: time, directory: text })).max(1000),
  stagedAt: time.nullable(),
});

/** Everything but the certificate and where it came from: that has a file of its own. */
export type Ledger = Omit<CertificateState, 'pair' | 'issuedBy' | 'origin'>;

export function encodeLedger(names: readonly string[], state: Ledger): string {
  const { ari, ariSilentUntil, failures, orders, stagedAt } = state;
  const ledger = { version: STATE_VERSION, names, ari, ariSilentUntil, failures, orders, stagedAt };
  return `${JSON.stringify(ledger, null, 2)}\n`;
}

/** @param names of the certificate that the text is about; that of another one is refused. */
export function decodeLedger(content: string, names: readonly string[]): Parsed<Ledger> {
  const document = readDocument(content, ledgerSchema);
  if (!document.ok) return document;
  const { names: found, ari, ariSilentUntil, failures, orders, stagedAt } = document.value;
  if (!sameNames(found, names)) return unparsed('it belongs to a certificate with other names');
  return parsed({ ari, ariSilentUntil, failures, orders, stagedAt });
}

/** JSON of our own version that a schema takes; what is wrong is a sentence without the content. */
export function readDocument<T>(content: string, schema: z.ZodType<T>): Parsed<T> {
  let document: unknown;
  try {
    document = JSON.parse(content);
  } catch {
    return unparsed('it is no complete JSON');
  }
  const version: unknown =
    typeof document === 'object' && document !== null && 'version' in document ? document.version : undefined;
  if (typeof version === 'number' && version !== STATE_VERSION) {
    return unparsed(`it has version ${version}, expected ${STATE_VERSION}`);
  }
  const result = schema.safeParse(document);
  return result.success ? parsed(result.data) : unparsed('it is not what promgate writes');
}

export function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify(one.toSorted()) === JSON.stringify(other.toSorted());
}

/**
 * What was recorded by a clock that ran ahead counts from now on: else a certificate would wait for a day that the
 * wrong clock had seen. Drops orders that no limit looks at any longer.
 * @returns the same object when nothing changes.
 */
export function settle(state: CertificateState, now: number): CertificateState {
  const { ari, ariSilentUntil, failures, orders, stagedAt } = state;
  const ahead = now + TOLERANCE_MS;
  const settled: CertificateState = {
    ...state,
    ari: ari === null || ari.askAgainAt <= now + WEEK_MS ? ari : { ...ari, askAgainAt: now },
    ariSilentUntil: ariSilentUntil !== null && ariSilentUntil > now + WEEK_MS ? now : ariSilentUntil,
    failures: failures.map((failure) => settleFailure(failure, now, ahead)),
    orders: orders
      .map((order) => (order.at > ahead ? { ...order, at: now } : order))
      .filter(({ at }) => at > now - WEEK_MS)
      .slice(-MOST_ORDERS),
    stagedAt: stagedAt !== null && stagedAt > ahead ? now : stagedAt,
  };
  const comparable = (one: CertificateState): string => JSON.stringify({ ...one, pair: null });
  return comparable(settled) === comparable(state) ? state : settled;
}

function settleFailure(failure: RecordedFailure, now: number, ahead: number): RecordedFailure {
  const { at, retryAt } = failure;
  const isWrong = at > ahead || (retryAt !== null && retryAt > now + WEEK_MS + TOLERANCE_MS);
  if (!isWrong) return failure;
  return { ...failure, at: Math.min(at, now), retryAt: retryAt === null ? null : Math.min(retryAt, now + WEEK_MS) };
}

/** Adds a failure; the oldest are dropped, but never the newest of each directory. */
export function withFailure(failures: readonly RecordedFailure[], failure: RecordedFailure): RecordedFailure[] {
  const all = [...failures, failure];
  const newest = new Map(all.map(({ directory, role }, index) => [`${role} ${directory}`, index]));
  const kept = new Set(newest.values());
  return all.filter((_, index) => kept.has(index) || index >= all.length - MOST_FAILURES);
}
