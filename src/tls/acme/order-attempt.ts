/**
 * One attempt to get a certificate, and what is remembered of it. It is written down before the CA is asked: a process
 * that ends in between must not ask again as if nothing had been.
 */
import type { KeyPair } from '../../config/config.ts';
import { PromgateError } from '../../lib/errors.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import { certificateId } from './certificate-id.ts';
import { AcmeFailure, ISSUE_STEP } from './contract.ts';
import type { AcmeDirectory, AcmePorts, CertificateState, RecordedFailure, WantedCertificate } from './contract.ts';
import { fits, nameOf, readPair } from './pair.ts';
import { EMPTY_STATE, withFailure } from './state.ts';

const LONGEST_REASON = 500;
/** Beyond a week no limit of a CA reaches; a longer Retry-After is an error of somebody. */
const LONGEST_WAIT_MS = 7 * 86_400_000;
/** For a rate limit without Retry-After. */
const DEFAULT_WAIT_MS = 3_600_000;

export interface AttemptTarget {
  readonly directory: AcmeDirectory;
  readonly role: 'real' | 'staging';
  /** Why now, as a clause. */
  readonly because: string;
}

export interface AttemptPorts extends Pick<AcmePorts, 'issuer' | 'clock' | 'log' | 'metrics'> {
  readonly wanted: WantedCertificate;
  readonly signal: AbortSignal;
  /** Keeps a state before anything is done on its strength. @throws {PromgateError} FILE_WRITE */
  keep(state: CertificateState): Promise<void>;
  /** Takes over a state that is true whether or not it can be kept. */
  adopt(state: CertificateState): Promise<void>;
}

export type AttemptResult =
  { readonly ok: true } | { readonly ok: false; readonly failure: AcmeFailure | PromgateError };

/** Never rejects for what the CA or the network does; rejects when the attempt cannot be written down, and was not made. */
export async function attemptOrder(
  state: CertificateState,
  { directory, role, because }: AttemptTarget,
  ports: AttemptPorts,
): Promise<AttemptResult> {
  const { wanted, issuer, clock, log, metrics, signal } = ports;
  const certificate = nameOf(wanted);
  const at = clock.now();
  const recorded = (kind: RecordedFailure['kind'], reason: string, retryAt: number | null): CertificateState => ({
    ...state,
    failures: withFailure(state.failures, { at, directory: directory.url, role, kind, reason, retryAt }),
    orders: role === 'real' ? [...state.orders, { at, directory: directory.url }] : state.orders,
    // The trial is used up by the attempt that it allowed.
    stagedAt: null,
  });
  const open = recorded('interrupted', 'the process ended before the CA was done', null);
  await ports.keep(open);
  const seen = { issuing: false };
  try {
    log.debug({ certificate, directory: directory.name, because }, 'ordering a certificate');
    const { cert, key } = await issuer.order({
      directory,
      wanted,
      replaces: role === 'real' ? replacedBy(state, directory) : null,
      signal,
      progress(step, detail) {
        if (step === ISSUE_STEP) seen.issuing = true;
        log.debug({ certificate, step, detail: safe(detail) }, 'ordering a certificate');
      },
    });
    if (role === 'staging') {
      metrics.attempt(certificate, directory.name, 'staged');
      log.info({ certificate, directory: directory.name }, 'the staging directory issued; the real one is asked next');
      await ports.adopt({ ...state, stagedAt: at });
      return { ok: true };
    }
    seen.issuing = true;
    const pair = judge(cert, key, wanted);
    metrics.attempt(certificate, directory.name, 'issued');
    const until = new Date(pair.notAfter).toISOString();
    const isRenewal = state.pair !== null;
    log.info(
      { certificate, directory: directory.name, because, serial: pair.serial, until },
      isRenewal ? 'certificate renewed' : 'certificate issued',
    );
    const origin = { at, profile: wanted.profile, because, isRenewal };
    await ports.adopt({ ...EMPTY_STATE, pair, issuedBy: directory.url, origin, orders: open.orders });
    return { ok: true };
  } catch (error) {
    const failure = asFailure(error);
    const orders = seen.issuing ? open.orders : state.orders;
    if (signal.aborted) {
      await ports.adopt({ ...open, orders });
      return { ok: false, failure };
    }
    const kind = failure instanceof AcmeFailure ? failure.kind : 'failed';
    const reason = safe(failure.message);
    const retryAt = failure instanceof AcmeFailure ? retryMoment(failure, clock.now()) : null;
    metrics.attempt(certificate, directory.name, kind);
    const isServed = state.pair !== null && state.pair.notAfter > clock.now();
    log[isServed ? 'warn' : 'error'](
      {
        certificate,
        directory: directory.name,
        role,
        kind,
        detail: reason,
        ...(failure instanceof AcmeFailure && failure.link !== null ? { link: safe(failure.link) } : {}),
        ...(retryAt === null ? {} : { not_before: new Date(retryAt).toISOString() }),
      },
      'no certificate was issued',
    );
    await ports.adopt({ ...recorded(kind, withLink(reason, failure), retryAt), orders });
    return { ok: false, failure };
  }
}

function judge(cert: string, key: string, wanted: WantedCertificate): KeyPair {
  const pair = readPair(cert, key, nameOf(wanted));
  if (!pair.ok) throw new AcmeFailure('garbage', `the CA issued something that cannot be used: ${pair.message}`);
  if (!fits(pair.value, wanted)) throw new AcmeFailure('garbage', 'the CA issued a certificate that was not ordered');
  return pair.value;
}

/** A CA knows a certificate as replaced only when it issued it (RFC 9773 §5). */
function replacedBy({ pair, issuedBy }: CertificateState, directory: AcmeDirectory): string | null {
  return pair !== null && issuedBy === directory.url ? certificateId(pair.cert) : null;
}

function retryMoment({ kind, retryAfterMs }: AcmeFailure, now: number): number | null {
  const wait = retryAfterMs ?? (kind === 'rate-limited' ? DEFAULT_WAIT_MS : null);
  if (wait === null || !Number.isFinite(wait) || wait <= 0) return null;
  return Math.round(now + Math.min(wait, LONGEST_WAIT_MS));
}

/** With the page where the CA explains it, which is often in its words already. */
function withLink(reason: string, failure: AcmeFailure | PromgateError): string {
  const link = failure instanceof AcmeFailure && failure.link !== null ? safe(failure.link) : '';
  return reason.includes(link) ? reason : `${reason}, see ${link}`;
}

function asFailure(error: unknown): AcmeFailure | PromgateError {
  if (error instanceof AcmeFailure || error instanceof PromgateError) return error;
  return new AcmeFailure('garbage', error instanceof Error ? error.message : 'unknown error', { cause: error });
}

/** Words of a CA, cut and made safe for a log and a terminal. */
export function safe(text: string): string {
  return escapeNonPrintable(text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON)}…` : text);
}
