/**
 * What to do for one certificate now, and when next: from what is kept and the time alone. Pure and deterministic; what
 * was drawn at random stands in the state. Never a fixed number of days: certificates get shorter every year.
 */
import type { CertificateState, Plan, RecordedFailure } from './contract.ts';
import { nextAttempt } from './attempts.ts';

const DAY_MS = 86_400_000;
const SHORT_LIVED_MS = 10 * DAY_MS;
/** Why a certificate is renewed when the CA has said when (RFC 9773). */
export const WINDOW_HAS_COME = "the CA's renewal window (ARI) has come";

/** Where orders can go, as URLs. */
export interface Directories {
  /** Tried in turn. */
  readonly real: readonly string[];
  readonly staging: string | null;
  /** Failures of other certificates that share a name with this one: CAs count failed validations by name. */
  readonly neighbours?: readonly RecordedFailure[];
}

/**
 * The plan for one certificate. A pair that does not fit what is wanted is to be left out of the state by the caller.
 * @param now milliseconds since the epoch.
 */
export function plan(state: CertificateState, now: number, directories: Directories): Plan {
  const renewal = renewalMoment(state);
  const due = renewal === null || renewal.at <= now;
  const waits: Extract<Plan, { kind: 'wait' }>[] = [];
  if (due) {
    const attempt = nextAttempt(state, now, directories);
    const why = renewal?.why ?? 'there is no certificate yet';
    if (attempt.at <= now) return { kind: 'order', directory: attempt.role, url: attempt.url, why };
    waits.push({ kind: 'wait', until: attempt.at, why: attempt.why });
  } else {
    waits.push({ kind: 'wait', until: renewal.at, why: `then ${renewal.why}` });
  }
  const askAt = nextQuestion(state);
  if (askAt !== null) {
    if (askAt <= now) return { kind: 'ask-ari', why: 'the CA may want it renewed at another time' };
    waits.push({ kind: 'wait', until: askAt, why: 'then the CA is asked when it wants it renewed' });
  }
  return waits.reduce((first, other) => (other.until < first.until ? other : first));
}

/** When the certificate that is there is due, and why then; null: there is none. */
export function renewalMoment({ pair, ari }: CertificateState): { readonly at: number; readonly why: string } | null {
  if (pair === null) return null;
  const lifetime = Math.max(0, pair.notAfter - pair.notBefore);
  const margin = renewalMarginMs(lifetime);
  if (ari === null) {
    const share = lifetime < SHORT_LIVED_MS ? 'half' : 'a third';
    return { at: pair.notAfter - margin, why: `${share} of its lifetime is left` };
  }
  // A CA that always says "now" is not obeyed more than once a day, and none that says "after the end" at all.
  const earliest = pair.notBefore + Math.min(DAY_MS, lifetime / 4);
  const latest = pair.notAfter - margin / 2;
  const at = Math.min(Math.max(ari.chosen, earliest), latest);
  return { at, why: at === latest ? 'its end comes near' : WINDOW_HAS_COME };
}

/** How much of a lifetime is kept in reserve: a third, and half of one under ten days. */
export function renewalMarginMs(lifetimeMs: number): number {
  return lifetimeMs < SHORT_LIVED_MS ? lifetimeMs / 2 : lifetimeMs / 3;
}

function nextQuestion({ pair, ari, ariSilentUntil }: CertificateState): number | null {
  if (pair === null) return null;
  return Math.max(ari?.askAgainAt ?? 0, ariSilentUntil ?? 0);
}
