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
  /** @param directory its name in the configuration */
  attempt(name: string, directory: string, outcome: AcmeOutcome): void;
  nextRenewal(name: string, seconds: number): void;
  ariWindow(name: string, start: number, end: number): void;
  selfSigned(name: string, isSelfSigned: boolean): void;
  /** Makes the counters of what is wanted, at zero, and removes the series of what no longer is. */
  describe(config: Config): void;
}

export function createAcmeSeries(instruments: AcmeInstruments): AcmeSeries {
  const { attempts, nextRenewal, windowStart, windowEnd, selfSigned } = instruments;
  const names = createNamedSeries('name', [nextRenewal, windowStart, windowEnd, selfSigned]);
  /** name → directories; attempts count for these only, so that nothing else makes a series. */
  let counted: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  const count = (wanted: typeof counted): void => {
    for (const [name, directories] of counted) {
      for (const directory of directories) {
        if (wanted.get(name)?.has(directory) === true) continue;
        for (const outcome of Object.keys(OUTCOMES)) attempts.remove({ name, directory, outcome });
      }
    }
    counted = wanted;
    for (const [name, directories] of counted) {
      for (const directory of directories) {
        for (const outcome of Object.keys(OUTCOMES)) attempts.inc({ name, directory, outcome }, 0);
      }
    }
  };

  return {
    attempt(name, directory, outcome) {
      if (counted.get(name)?.has(directory) === true) attempts.inc({ name, directory, outcome });
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
      const { certificates = [], directories = [], staging = null } = config.acme ?? {};
      const wanted = certificates.map(({ names: [first = ''] }) => first);
      const asked = new Set([...directories, ...(staging === null ? [] : [staging])].map((one) => one.name));
      names.keep(new Set(wanted));
      count(new Map(wanted.map((name) => [name, asked])));
    },
  };
}
