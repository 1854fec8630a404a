/** Plans the CA itself: makes it on a first run, finishes one whose making was interrupted, and never replaces one. */
import { createCa, wasIssuedHere } from '../../tls/authority/certificate-authority.ts';
import { generateKey, isUsableKey } from '../../tls/authority/keys.ts';
import type { CertificateAndKey } from '../../tls/authority/keys.ts';
import { RENEW_WITHIN_MS, untilEnd } from '../start-hints.ts';
import type { InitEnvironment } from './environment.ts';
import type { PairPaths, PairState } from './layout.ts';
import { newFile, NOTHING_TO_DO } from './plan.ts';
import type { Obstacle, Plan } from './plan.ts';

export interface AuthorityRequest {
  readonly paths: PairPaths;
  readonly state: PairState;
  /** Whether something has to be issued, or clients have to be verified. */
  readonly isNeeded: boolean;
  /** Certificates that may come from a CA that was here before. */
  readonly issued: readonly PairState[];
  readonly environment: InitEnvironment;
}

export interface AuthorityPlan {
  readonly plan: Plan;
  /** null when there is none that can issue. */
  readonly ca: CertificateAndKey | null;
}

export async function planAuthority(request: AuthorityRequest): Promise<AuthorityPlan> {
  const { state, paths, environment, isNeeded } = request;
  if (state.kind === 'complete') return judgeExisting(request, state);
  if (!isNeeded) return { plan: NOTHING_TO_DO, ca: null };
  if (state.kind === 'cert-only') {
    return blocked(`${paths.key} is missing: nothing can be issued without it`, wayOut(paths));
  }
  if (state.kind === 'unusable') return blocked(state.message, wayOut(paths));
  if (request.issued.some(isFromFormerCa)) {
    return blocked(`${paths.cert} is missing, but certificates that a CA of promgate issued are there`, wayOut(paths));
  }
  if (state.kind === 'key-only' && !isUsableKey(state.key)) {
    return blocked(`${paths.key} is not a key that can issue`, wayOut(paths));
  }
  const key = state.kind === 'key-only' ? state.key : generateKey();
  const ca = await createCa({ name: environment.hostName, years: 10, now: environment.clock.now(), key });
  const writes = [newFile(paths.cert, ca.cert, 0o644)];
  if (state.kind === 'absent') writes.unshift(newFile(paths.key, key, 0o600));
  return { plan: { ...NOTHING_TO_DO, writes }, ca };
}

function judgeExisting(
  { paths, isNeeded, environment }: AuthorityRequest,
  { pair, certificate }: Extract<PairState, { kind: 'complete' }>,
): AuthorityPlan {
  const now = environment.clock.now();
  const ended = certificate.notAfter <= now;
  if (!certificate.isCa || !isUsableKey(pair.key) || ended) {
    const fault = ended ? untilEnd(certificate.notAfter, now) : 'is not a CA that can issue';
    if (isNeeded) return blocked(`${paths.cert} ${fault}`, wayOut(paths));
    return { plan: { ...NOTHING_TO_DO, warnings: [`${paths.cert} ${fault}: ${wayOut(paths)}`] }, ca: null };
  }
  const warnings =
    certificate.notAfter - now <= RENEW_WITHIN_MS
      ? [
          `${paths.cert} ${untilEnd(certificate.notAfter, now)}, and with it everything that it issued: ${wayOut(paths)}`,
        ]
      : [];
  return { plan: { ...NOTHING_TO_DO, warnings }, ca: pair };
}

function wayOut({ cert, key }: PairPaths): string {
  return (
    `bring ${cert} and ${key} back, or move the certificates away and run init again: ` +
    `it makes a new CA, and every client needs the new ${cert} and a new certificate`
  );
}

function isFromFormerCa(state: PairState): boolean {
  return (state.kind === 'complete' || state.kind === 'cert-only') && wasIssuedHere(state.certificate.issuer);
}

function blocked(message: string, hint: string): AuthorityPlan {
  const obstacle: Obstacle = { message, hint };
  return { plan: { ...NOTHING_TO_DO, obstacles: [obstacle] }, ca: null };
}
