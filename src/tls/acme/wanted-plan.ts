/**
 * The plan for a certificate as it is wanted now. What there is may be another one, because the configuration has
 * changed: it is served, and the order for the one that is wanted does not wait for its end. Pure.
 */
import type { CertificateState, Plan } from './contract.ts';
import { plan, renewalMoment } from './schedule.ts';
import type { Directories } from './schedule.ts';
import { settle } from './state.ts';

/** @param unlike what `misfit` says of the pair; null without one. */
export function planFor(state: CertificateState, unlike: string | null, now: number, directories: Directories): Plan {
  if (unlike === null) return plan(settle(state, now), now, directories);
  // The CA's wishes are about the old one. Failures and orders count as before.
  const next = plan(settle({ ...state, pair: null, ari: null }, now), now, directories);
  return next.kind === 'order' ? { ...next, why: unlike } : next;
}

/** When the certificate that is there is due, and why then; null: there is none, or another one is wanted at once. */
export function renewalFor(state: CertificateState, unlike: string | null): ReturnType<typeof renewalMoment> {
  return unlike === null ? renewalMoment(state) : null;
}
