/** The series of the certificates that come from a CA by ACME; their names are those of the configuration. */
import type { Counter, Gauge } from 'prom-client';
import type { Config } from '../config/config.ts';
import { createNamedSeries } from './named-series.ts';

/** How an attempt ended. */
export type AcmeOutcome =
  | 'issued'
  | 'staged'
  | 'unreachable'
  | 'refused'
  | 'rate-limited'
  | 'challenge'
  | 'account'
  | 'garbage'
  | 'timeout'
  | 'failed';

const OUTCOMES: Readonly<Record<AcmeOutcome, true>> = {
  issued: true,
  staged: true,
  unreachable: true,
  refused: true,
  'rate-limited': true,
  challenge: true,
  account: true,
  garbage: true,
  timeout: true,
  failed: true,
};

export interface AcmeInstruments {
  readonly attempts: Counter;
  readonly nextRenewal: Gauge;
  readonly windowStart: Gauge;
  readonly windowEnd: Gauge;
  readonly selfSigned: Gauge;
}

/** Times are seconds since the epoch. */
export interface AcmeSeries {
  attempt(name: string, outcome: AcmeOutcome): void;
  nextRenewal(name: string, seconds: number): void;
  ariWindow(name: string, start: number, end: number): void;
  selfSigned(name: string, isSelfSigned: boolean): void;
  /** Removes the series of what is no longer wanted. */
  describe(config: Config): void;
}

export function createAcmeSeries(instruments: AcmeInstruments): AcmeSeries {
  const { attempts, nextRenewal, windowStart, windowEnd, selfSigned } = instruments;
  const names = createNamedSeries('name', [nextRenewal, windowStart, windowEnd, selfSigned]);
  for (const outcome of Object.keys(OUTCOMES)) attempts.inc({ outcome }, 0);
  return {
    attempt(_name, outcome) {
      attempts.inc({ outcome });
    },
    nextRenewal(name, seconds) {
      names.tell(name, () => {
        nextRenewal.set({ name }, seconds);
      });
    },
    ariWindow(name, start, end) {
      names.tell(name, () => {
        windowStart.set({ name }, start);
        windowEnd.set({ name }, end);
      });
    },
    selfSigned(name, isSelfSigned) {
      names.tell(name, () => {
        selfSigned.set({ name }, isSelfSigned ? 1 : 0);
      });
    },
    describe(config) {
      names.keep(new Set((config.acme?.certificates ?? []).map(({ names: [first] }) => first ?? '')));
    },
  };
}
