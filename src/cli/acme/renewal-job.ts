/** A renewal that somebody asked for: one at a time, its steps kept for whoever looks. Foreign text in them is escaped. */
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import type { RenewalProgress } from '../../observe/certificate-routes.ts';
import { AcmeFailure } from '../../tls/acme/contract.ts';
import { span } from '../certificate-table.ts';
import type { AcmeOverlay } from './overlay.ts';

const MOST_STEPS = 500;
const LONGEST_DETAIL = 500;
const IDLE: RenewalProgress = { running: false, steps: [], error: null, hint: null };

export interface RenewalJob {
  /** Begins; the outcome is in `progress`. @returns why it does not begin, or null. */
  start(name: string | null, isRehearsal: boolean): string | null;
  progress(): RenewalProgress;
}

export function createRenewalJob(acme: Pick<AcmeOverlay, 'current' | 'settled'>, clock: Clock): RenewalJob {
  let progress = IDLE;
  return {
    start(name, isRehearsal) {
      if (progress.running) return 'a renewal is running';
      const service = acme.current();
      if (service === null) return 'the configuration has no acme section: its certificates come from files';
      progress = { ...IDLE, running: true };
      const tell = (step: string, detail: string): void => {
        if (progress.steps.length >= MOST_STEPS) return;
        const line = { at: clock.now(), step: shown(step), detail: shown(detail) };
        progress = { ...progress, steps: [...progress.steps, line] };
      };
      const work = async (): Promise<void> => {
        if (isRehearsal) {
          await service.rehearse(name, tell);
          return;
        }
        await service.renew(name, tell);
        await acme.settled();
        tell('swap', 'new connections get the new certificate');
      };
      work().then(
        () => {
          progress = { ...progress, running: false };
        },
        (error: unknown) => {
          const hint = hintOf(error);
          const text = error instanceof Error ? error.message : 'unknown error';
          progress = { ...progress, running: false, error: shown(text), hint };
        },
      );
      return null;
    },
    progress: () => progress,
  };
}

/** What may help after a renewal that failed: the hint of the error, or where and when the CA says to go on. */
export function hintOf(error: unknown): string | null {
  if (error instanceof PromgateError) return error.hint ?? null;
  if (!(error instanceof AcmeFailure)) return null;
  const { link, retryAfterMs } = error;
  const parts = [
    ...(link === null ? [] : [`the CA explains it at ${link}`]),
    ...(retryAfterMs === null || retryAfterMs <= 0 ? [] : [`the CA asks to wait ${span(retryAfterMs)}`]),
  ];
  return parts.length === 0 ? null : shown(parts.join('; '));
}

function shown(text: string): string {
  return escapeNonPrintable(text.slice(0, LONGEST_DETAIL));
}
