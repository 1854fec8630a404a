/**
 * The revocation list of the own CA, and whether a first configuration can name one: a gate without it lets everybody in
 * whom `pki revoke` was to shut out.
 */
import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseCrls } from '../../formats/crl.ts';
import type { Crl } from '../../formats/crl.ts';
import { parseCertificates } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { authorityPaths, readAuthority } from '../../tls/authority/authority-directory.ts';
import { readCrls, updateCrl } from '../../tls/authority/crl-file.ts';
import { refreshAt } from '../../tls/authority/crl-keeper.ts';
import { isUsableKey } from '../../tls/authority/keys.ts';
import { lifetimeOf } from '../pki/revocation.ts';
import type { ConfigurationFacts } from './configuration.ts';
import { readIfThere, readPair } from './layout.ts';
import type { Layout } from './layout.ts';
import { NOTHING_TO_DO } from './plan.ts';
import type { Plan, Write } from './plan.ts';

/** Whether there is a list, or a CA that can sign one, or will be one. */
export async function canHaveList(layout: Layout, now: number): Promise<boolean> {
  return (await isThere(authorityPaths(layout.certs).crl)) || canSignList(layout, now);
}

async function canSignList({ ca }: Layout, now: number): Promise<boolean> {
  const state = await readPair(ca);
  if (state.kind !== 'complete') return state.kind === 'absent' || state.kind === 'key-only';
  return state.certificate.isCa && state.certificate.notAfter > now && isUsableKey(state.pair.key);
}

export interface ListRequest {
  readonly layout: Layout;
  readonly facts: ConfigurationFacts;
  readonly isFirst: boolean;
  /** What is written before it: the CA, when it is new. */
  readonly writes: readonly Write[];
  readonly now: number;
}

export interface ListPlan {
  readonly plan: Plan;
  /** Whether it is to be made, or renewed: where the gate may not write, a timer runs `init`. */
  readonly isDue: boolean;
}

export async function planList({ layout, facts, isFirst, writes, now }: ListRequest): Promise<ListPlan> {
  const nothing: ListPlan = { plan: NOTHING_TO_DO, isDue: false };
  const paths = authorityPaths(layout.certs);
  if (facts.clientCa !== resolve(paths.cert) || !facts.clientCrls.includes(resolve(paths.crl))) return nothing;
  const newCa = writes.find(({ path }) => path === layout.ca.cert);
  const isNew = isFirst || newCa !== undefined;
  if (await isThere(paths.crl)) {
    const lists = listsOf(await readIfThere(paths.crl), newCa?.text ?? (await readIfThere(paths.cert)));
    if (lists.length > 0) {
      const isDue = lists.some((crl) => (refreshAt(crl) ?? Infinity) <= now);
      return { ...nothing, isDue: isDue && (await canSignList(layout, now)) };
    }
    if (!isNew) return nothing;
    const message = `${paths.crl} is not a revocation list of ${paths.cert}`;
    const hint = 'move it away; init makes a new one';
    return { ...nothing, plan: { ...NOTHING_TO_DO, obstacles: [{ message, hint }] } };
  }
  // Without the index nobody knows who was revoked: an empty list would let them in again unasked.
  const knowsRevoked = isNew || (await isThere(paths.index));
  return { ...nothing, isDue: knowsRevoked && (await canSignList(layout, now)) };
}

/** @returns what was done, as `init` says it. */
export async function writeList(layout: Layout, clock: Clock): Promise<readonly string[]> {
  const authority = await readAuthority(layout.certs);
  if (authority?.key.kind !== 'ready') {
    throw new PromgateError('FILE_WRITE', `${layout.ca.key} is gone: no revocation list can be made`);
  }
  const { index, crl } = authority.paths;
  const [hadIndex, hadList] = [await isThere(index), await isThere(crl)];
  const isDue = (one: Crl): boolean => (refreshAt(one) ?? Infinity) <= clock.now();
  await updateCrl(authority, clock, {
    keys: authority.key.pems,
    lifetimeMs: lifetimeOf(await readCrls(authority)),
    unless: (current) => current.length > 0 && !current.some(isDue),
  });
  return [...(hadIndex ? [] : [`wrote ${index}`]), `${hadList ? 'renewed' : 'wrote'} ${crl}`];
}

function listsOf(list: string | null, ca: string | null): readonly Crl[] {
  const crls = parseCrls(list ?? '');
  const certificates = parseCertificates(ca ?? '');
  if (!crls.ok || !certificates.ok) return [];
  const keys = new Set(certificates.value.map(({ subjectKey }) => subjectKey));
  return crls.value.filter(({ issuerKey }) => keys.has(issuerKey));
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null)) !== null;
}
