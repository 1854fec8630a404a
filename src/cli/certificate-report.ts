/** Every certificate, CA and revocation list of a configuration in one list: whose, how long, where from, what next. */
import { parseCertificates } from '../formats/x509.ts';
import type { Config, KeyPair } from '../config/config.ts';
import { escapeNonPrintable } from '../lib/foreign-text.ts';
import type { CertificateReport } from '../observe/certificate-routes.ts';
import type { CertificateStatus, Origin } from '../tls/acme/contract.ts';
import { coversName } from '../formats/covers-name.ts';
import { nameOf, SELF_SIGNED_PREFIX } from '../tls/acme/pair.ts';
import { renewalMarginMs } from '../tls/acme/schedule.ts';
import { renewalFor } from '../tls/acme/wanted-plan.ts';
import { wasIssuedHere } from '../tls/authority/certificate-authority.ts';

const DAY_MS = 86_400_000;
const SOON_MS = 30 * DAY_MS;

/**
 * @param acme what the keeper of the ACME certificates says; empty without one.
 * @param now milliseconds since the epoch.
 */
export function reportCertificates(
  config: Config,
  acme: readonly CertificateStatus[],
  now: number,
): readonly CertificateReport[] {
  const own =
    config.acme === null
      ? (config.tls?.certificates ?? []).map((pair) => reportFile(pair, now))
      : acme.map((status) => reportAcme(status, config, now));
  return [...own, ...reportAuthorities(config, now), ...reportLists(config, now)];
}

function judge(notAfter: number, marginMs: number, now: number): CertificateReport['state'] {
  if (notAfter <= now) return 'ended';
  return notAfter - now < marginMs ? 'soon' : 'ok';
}

function marginOf(notBefore: number, notAfter: number): number {
  return Math.min(SOON_MS, (notAfter - notBefore) / 3);
}

function reportFile(pair: KeyPair, now: number): CertificateReport {
  const { name, names, issuer, notBefore, notAfter } = pair;
  const by = wasIssuedHere(issuer) ? 'the own CA' : 'a file';
  return {
    kind: 'certificate',
    name,
    names,
    issuer,
    notBefore,
    notAfter,
    source: by,
    state: judge(notAfter, marginOf(notBefore, notAfter), now),
    issued: null,
    next: null,
    lastError: null,
  };
}

function reportAcme(status: CertificateStatus, { tls, acme }: Config, now: number): CertificateReport {
  const { wanted, state, unlike, plan } = status;
  const name = nameOf(wanted);
  const others = tls?.certificates ?? [];
  const selfSigned = others.find((pair) => pair.name === `${SELF_SIGNED_PREFIX}${name}`);
  const former = others.find((pair) => wanted.names.some((one) => coversName(pair.names, one)));
  const standIn = selfSigned ?? former ?? null;
  const served = state.pair ?? standIn;
  const failure = state.failures.at(-1);
  const directoryName = (url: string): string => acme?.directories.find((one) => one.url === url)?.name ?? hostOf(url);
  const due = renewalFor(state, unlike);
  // Until the renewal is due the plan speaks of smaller things, such as when the CA is asked for its wishes.
  const isDue = due === null || due.at <= now;
  const planned = plan.kind === 'wait' ? { at: plan.until, why: plan.why } : { at: now, why: plan.why };
  const lifetime = served === null ? 0 : served.notAfter - served.notBefore;
  return {
    kind: 'certificate',
    name,
    names: wanted.names,
    issuer: served?.issuer ?? 'none',
    notBefore: served?.notBefore ?? now,
    notAfter: served?.notAfter ?? null,
    source:
      state.pair !== null
        ? `acme, ${directoryName(state.issuedBy ?? '')}`
        : `${selfSigned === undefined && former !== undefined ? former.name : 'self-signed'} until the CA issues one`,
    // Half of the reserve is used up: the renewal ought to have worked by now.
    state: state.pair === null ? 'soon' : judge(state.pair.notAfter, renewalMarginMs(lifetime) / 2, now),
    issued: issuedBecause(state.origin),
    next: isDue ? planned : due,
    lastError:
      failure === undefined
        ? null
        : { at: failure.at, directory: directoryName(failure.directory), reason: escapeNonPrintable(failure.reason) },
  };
}

function issuedBecause(origin: Origin | null): CertificateReport['issued'] {
  if (origin === null) return null;
  const { at, because, isRenewal } = origin;
  return { at, why: `${isRenewal ? 'renewed' : 'ordered'} because ${because}` };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'unknown';
}

function reportAuthorities({ tls }: Config, now: number): CertificateReport[] {
  return (tls?.trust.ca ?? []).flatMap((pem) => {
    const certificates = parseCertificates(pem);
    if (!certificates.ok) return [];
    return certificates.value.map(({ subject, issuer, notBefore, notAfter }): CertificateReport => ({
      kind: 'client_ca',
      name: subject,
      names: [],
      issuer,
      notBefore,
      notAfter,
      source: 'client_ca_file',
      state: judge(notAfter, marginOf(notBefore, notAfter), now),
      issued: null,
      next: null,
      lastError: null,
    }));
  });
}

function reportLists({ tls }: Config, now: number): CertificateReport[] {
  return (tls?.trust.crls ?? []).map(({ issuer, thisUpdate, nextUpdate, revoked }): CertificateReport => ({
    kind: 'crl',
    name: `${String(revoked.size)} revoked`,
    names: [],
    issuer,
    notBefore: thisUpdate,
    notAfter: nextUpdate,
    source: 'client_crl_files',
    state: nextUpdate === null ? 'ok' : judge(nextUpdate, (nextUpdate - thisUpdate) / 4, now),
    issued: null,
    next: null,
    lastError: null,
  }));
}
