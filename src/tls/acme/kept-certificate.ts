/**
 * One certificate that is looked after: what is kept of it, what is served, what to do next. What is in memory is never
 * given up because the disk says less.
 */
import type { KeyPair } from '../../config/config.ts';
import { PromgateError } from '../../lib/errors.ts';
import { drawWindow, pauseMs } from './ari.ts';
import { AcmeFailure } from './contract.ts';
import type {
  AcmePorts,
  CertificateState,
  CertificateStatus,
  Plan,
  RenewalInfo,
  WantedCertificate,
} from './contract.ts';
import { attemptOrder, safe } from './order-attempt.ts';
import type { AttemptResult, AttemptTarget } from './order-attempt.ts';
import { misfit, nameOf } from './pair.ts';
import type { Directories } from './schedule.ts';
import { predecessorsOf } from './predecessors.ts';
import { makeSelfSigned } from './self-signed.ts';
import { EMPTY_STATE, settle } from './state.ts';
import { planFor, renewalFor } from './wanted-plan.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Until the state directory is tried again, or another process's lock. */
const HOLD_MS = 5 * MINUTE_MS;
const BUSY_HOLD_MS = MINUTE_MS;
const ASK_AGAIN_AFTER_FAILURE_MS = 60 * MINUTE_MS;

export interface KeptCertificate {
  readonly wanted: WantedCertificate;
  state(): CertificateState;
  /** Its own pair; before there is one, predecessors of it, or else a self-signed one. Empty before the first `load`. */
  served(): readonly KeyPair[];
  /** Reads what another process may have written, and makes what stands in for a certificate. */
  load(): Promise<void>;
  plan(): Plan;
  askForWindow(signal: AbortSignal): Promise<void>;
  /** @param target null: what the plan says once the lock is held. @returns null when there was nothing to do. */
  order(target: AttemptTarget | null, signal: AbortSignal): Promise<AttemptResult | null>;
  status(): CertificateStatus;
}

export interface KeptPorts extends AcmePorts {
  /** With the failures of certificates that share a name. */
  directoriesOf(wanted: WantedCertificate): Directories;
  onPair(): void;
}

export function keepCertificate(wanted: WantedCertificate, ports: KeptPorts): KeptCertificate {
  const { settings, store, issuer, clock, log, metrics } = ports;
  const certificate = nameOf(wanted);
  let state: CertificateState = EMPTY_STATE;
  /** What is wanted otherwise than the pair has it. */
  let unlike: string | null = null;
  let standIn: KeyPair | null = null;
  /** Predecessors that were served last: better than no certificate at all when they have ended. */
  let bridge: readonly KeyPair[] = [];
  /** What is in memory is newer than what is on disk. */
  let isUnsaved = false;
  let hold: { readonly until: number; readonly why: string } | null = null;
  let lastStorageFault = '';

  const take = (next: CertificateState): void => {
    const before = state.pair;
    state = next;
    if (next.pair === null || next.pair.cert === before?.cert) return;
    unlike = misfit(next.pair, next.origin, wanted);
    standIn = null;
    metrics.selfSigned(certificate, false);
    ports.onPair();
  };

  const storageFailed = (error: unknown): void => {
    const text = error instanceof Error ? error.message : 'unknown error';
    hold = { until: clock.monotonic() + HOLD_MS, why: 'the state directory cannot be used' };
    if (text === lastStorageFault) return;
    lastStorageFault = text;
    const hint = error instanceof PromgateError ? error.hint : undefined;
    log.error({ certificate, error: text, ...(hint === undefined ? {} : { hint }) }, 'the state cannot be kept');
  };

  const save = async (): Promise<boolean> => {
    try {
      await store.write(wanted, state);
      lastStorageFault = '';
      isUnsaved = false;
    } catch (error) {
      storageFailed(error);
      isUnsaved = true;
    }
    return !isUnsaved;
  };

  const adopt = async (next: CertificateState): Promise<void> => {
    take(next);
    await save();
  };

  const keep = async (next: CertificateState): Promise<void> => {
    await store.write(wanted, next);
    lastStorageFault = '';
    state = next;
  };

  const read = async (): Promise<void> => {
    if (isUnsaved && !(await save())) return;
    const found = settle(await store.read(wanted), clock.now());
    const isLess = state.pair !== null && (found.pair === null || found.pair.notBefore < state.pair.notBefore);
    const { pair, issuedBy, origin, ari } = state;
    take(isLess ? { ...found, pair, issuedBy, origin, ari } : found);
    if (isLess) isUnsaved = true;
  };

  const predecessors = (): readonly KeyPair[] => predecessorsOf(wanted, ports.predecessors(), clock.now());

  const standInFor = async (): Promise<void> => {
    if (state.pair !== null) return;
    const former = predecessors();
    const [first] = former;
    if (first !== undefined) {
      if (bridge.length === 0) {
        const fields = { certificate, served: first.name, notAfter: new Date(first.notAfter).toISOString() };
        log.info(fields, 'the CA has issued no certificate yet; the one from before is served until then');
      }
      bridge = former;
      return;
    }
    if (standIn !== null && standIn.notAfter - clock.now() > DAY_MS) return;
    const isFirst = standIn === null;
    standIn = await makeSelfSigned(wanted, clock.now());
    if (isFirst)
      log.warn({ certificate }, 'there is no certificate yet; a self-signed one stands in, clients refuse it');
    ports.onPair();
  };

  const served = (): readonly KeyPair[] => {
    if (state.pair !== null) return [state.pair];
    const former = predecessors();
    metrics.selfSigned(certificate, former.length === 0);
    if (former.length > 0) return former;
    return standIn === null ? bridge : [standIn];
  };

  const planned = (): Plan => {
    const now = clock.now();
    const next = planFor(state, unlike, now, ports.directoriesOf(wanted));
    const left = hold === null ? 0 : hold.until - clock.monotonic();
    if (left <= 0 || hold === null) return next;
    return next.kind === 'wait' ? next : { kind: 'wait', until: now + left, why: hold.why };
  };

  /** @returns null when another process works on it; then there is another look soon. */
  const alone = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | null> => {
    const result = await store.exclusively(wanted, signal, async () => {
      await read();
      return { value: await work() };
    });
    if (result !== null) return result.value;
    hold = { until: clock.monotonic() + BUSY_HOLD_MS, why: 'another process works on it' };
    if (!signal.aborted) log.info({ certificate }, 'another process works on this certificate');
    return null;
  };

  const ask = async (signal: AbortSignal): Promise<void> => {
    const { pair, issuedBy } = state;
    const directory = settings.directories.find(({ url }) => url === issuedBy);
    const silent = (retryAfterMs: number | null, keepsWindow: boolean): Promise<void> =>
      adopt({
        ...state,
        ari: keepsWindow ? state.ari : null,
        ariSilentUntil: clock.now() + pauseMs(retryAfterMs),
      });
    if (pair === null || directory === undefined) return silent(null, false);
    let info: RenewalInfo | null;
    try {
      info = await endedBy(signal, issuer.renewalInfo(directory, pair.cert));
    } catch (error) {
      if (signal.aborted) return;
      const detail = safe(error instanceof Error ? error.message : 'unknown error');
      log.warn({ certificate, directory: directory.name, detail }, 'the CA does not say when it wants a renewal');
      const retryAfterMs = error instanceof AcmeFailure ? error.retryAfterMs : null;
      return silent(retryAfterMs ?? ASK_AGAIN_AFTER_FAILURE_MS, true);
    }
    const window = info === null ? null : drawWindow(info, state.ari, clock.now(), () => ports.random());
    if (window === null) return silent(null, false);
    if (window.start !== state.ari?.start || window.end !== state.ari.end) {
      const { start, end, chosen, explanationUrl } = window;
      const [from, to, moment] = [start, end, chosen].map((time) => new Date(time).toISOString());
      const why = explanationUrl === null ? {} : { link: safe(explanationUrl) };
      log.info({ certificate, from, to, chosen: moment, ...why }, 'the CA suggests when to renew');
    }
    metrics.ariWindow(certificate, window.start / 1000, window.end / 1000);
    return adopt({ ...state, ari: window, ariSilentUntil: null });
  };

  const targetOf = (next: Plan): AttemptTarget | null => {
    if (next.kind !== 'order') return null;
    const known =
      next.directory === 'real' ? settings.directories : settings.staging === null ? [] : [settings.staging];
    const directory = known.find(({ url }) => url === next.url);
    return directory === undefined ? null : { directory, role: next.directory, because: next.why };
  };

  return {
    wanted,
    state: () => state,
    served,
    async load() {
      await read();
      await standInFor();
    },
    plan() {
      const next = planned();
      const renewal = renewalFor(state, unlike);
      metrics.nextRenewal(certificate, (renewal?.at ?? clock.now()) / 1000);
      return next;
    },
    async askForWindow(signal) {
      await alone(signal, async () => {
        if (planned().kind === 'ask-ari') await ask(signal);
      }).catch(storageFailed);
    },
    async order(target, signal) {
      try {
        return await alone(signal, async () => {
          const chosen = target ?? targetOf(planned());
          return chosen === null ? null : await attemptOrder(state, chosen, { ...ports, wanted, signal, keep, adopt });
        });
      } catch (error) {
        metrics.attempt(certificate, (target?.directory ?? settings.directories[0])?.name ?? '', 'failed');
        storageFailed(error);
        if (target !== null) throw error;
        return null;
      }
    },
    status: () => ({ wanted, state, unlike, plan: planned() }),
  };
}

/** Does not wait for an answer that nobody is there to hear. */
function endedBy<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      reject(new AcmeFailure('timeout', 'ended before the CA answered'));
    };
    signal.addEventListener('abort', end, { once: true });
    answer.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', end);
    });
    if (signal.aborted) end();
  });
}
