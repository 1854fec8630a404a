/** The series of what the gate does with its own CA: lists and its own certificate, renewed in time or not. */
import type { Counter, Gauge } from 'prom-client';
import type { Config } from '../config/config.ts';
import { createNamedSeries } from './named-series.ts';

export interface AuthorityInstruments {
  readonly kept: Gauge;
  readonly refreshes: Counter;
  readonly renewals: Counter;
  readonly issued: Counter;
  readonly open: Gauge;
  readonly fetched: Gauge;
  readonly fetches: Counter;
}

export interface AuthoritySeries {
  crlKept(file: string, kept: boolean): void;
  crlRefreshed(ok: boolean): void;
  certificateRenewed(name: string, ok: boolean): void;
  /** Over the gate, for a token, for the client certificate before, or for the key of the server certificate before. */
  certificateIssued(by: 'token' | 'certificate' | 'key'): void;
  enrollmentOpen(open: boolean): void;
  crlFetched(file: string, seconds: number): void;
  crlFetch(ok: boolean): void;
  /** Removes the series of lists that are no longer configured. */
  describe(config: Config): void;
}

export function createAuthoritySeries({
  kept,
  refreshes,
  renewals,
  issued,
  open,
  fetched,
  fetches,
}: AuthorityInstruments): AuthoritySeries {
  const files = createNamedSeries('file', [kept, fetched]);
  for (const counter of [refreshes, renewals]) {
    for (const ok of [true, false]) counter.inc({ outcome: outcomeOf(ok) }, 0);
  }
  for (const outcome of ['fetched', 'failed']) fetches.inc({ outcome }, 0);
  for (const by of ['token', 'certificate', 'key']) issued.inc({ by }, 0);
  return {
    crlKept(file, isKept) {
      files.tell(file, () => {
        kept.set({ file }, isKept ? 1 : 0);
      });
    },
    crlRefreshed(ok) {
      refreshes.inc({ outcome: outcomeOf(ok) });
    },
    certificateRenewed(_name, ok) {
      renewals.inc({ outcome: outcomeOf(ok) });
    },
    certificateIssued(by) {
      issued.inc({ by });
    },
    enrollmentOpen(isOpen) {
      open.set(isOpen ? 1 : 0);
    },
    crlFetched(file, seconds) {
      files.tell(file, () => {
        fetched.set({ file }, seconds);
      });
    },
    crlFetch(ok) {
      fetches.inc({ outcome: ok ? 'fetched' : 'failed' });
    },
    describe(config) {
      files.keep(new Set(config.files.filter(({ source }) => source === 'client_ca').map(({ path }) => path)));
    },
  };
}

function outcomeOf(ok: boolean): 'renewed' | 'failed' {
  return ok ? 'renewed' : 'failed';
}
