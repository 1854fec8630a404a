/**
 * What is written down when an answer is over: metrics, one log line at most, and the releases of the steps. Runs
 * exactly once per request; nothing in here may keep a release from running.
 */
import { escapeForeign, escapeNonPrintable } from '../../lib/foreign-text.ts';
import type { Log, Metrics } from '../../observe/ports.ts';
import type { DenyReason } from '../deny-reasons.ts';
import type { Passage } from '../passage.ts';
import type { ScrapeRecord } from '../scrape-record.ts';

/** What was denied to whom; `begun`: the answer had been opened and was cut. */
export interface Denial {
  readonly reason: DenyReason;
  readonly detail: string | null;
  readonly begun: boolean;
}

export interface Outcome {
  /** 499 when the client left before there was an answer (nginx's number; it is never sent). */
  readonly status: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly denial: Denial | null;
  /** Whether the client went away before the answer was complete. */
  readonly clientLeft: boolean;
}

export const CLIENT_LEFT_STATUS = 499;

const LONGEST_DETAIL = 512;

/** Counts, logs and releases. */
export function settle(passage: Passage, outcome: Outcome, log: Log, metrics: Metrics): void {
  metrics.inFlight(-1);
  metrics.request({
    upstream: passage.upstream?.name ?? 'none',
    identity: passage.identity?.label ?? 'anonymous',
    status: outcome.status,
    durationSeconds: outcome.durationMs / 1000,
    bytesOut: outcome.bytesOut,
    bytesIn: passage.bytesIn ?? 0,
  });
  tellOfIdentity(passage, outcome, metrics);
  writeLine(passage, outcome, log);
  release(passage, log);
}

function tellOfIdentity(passage: Passage, outcome: Outcome, metrics: Metrics): void {
  const { identity, scrape = null } = passage;
  const denial = outcome.denial?.reason ?? null;
  const isWhole = outcome.status === 200 && denial === null && !outcome.clientLeft;
  if (identity !== null) {
    metrics.visited({ identity, address: passage.address, bytesOut: outcome.bytesOut, scrape, isWhole, denial });
  }
  if (scrape === null) return;
  metrics.scrape({
    upstream: passage.upstream?.name ?? 'none',
    identity: identity?.label ?? 'anonymous',
    scrape,
    durationSeconds: outcome.durationMs / 1000,
    isWhole,
  });
}

function writeLine(passage: Passage, outcome: Outcome, log: Log): void {
  const { denial } = outcome;
  if (denial === null && !passage.config.accessLog) return;
  const { method, path } = passage.asked ?? passage.target;
  const who = {
    id: passage.id,
    address: passage.address,
    identity: passage.identity?.name ?? 'anonymous',
    method,
    ...(path === null ? {} : { path: escapeForeign(path) }),
    status: outcome.status,
  };
  if (denial === null) {
    log.info({ ...who, ...accessFields(passage, outcome) }, 'request');
    return;
  }
  const detail = denial.detail === null ? {} : { detail: escapeNonPrintable(denial.detail).slice(0, LONGEST_DETAIL) };
  const agent = passage.config.accessLog ? userAgentOf(passage) : {};
  const fields = { ...who, reason: denial.reason, ...detail, ...agent };
  const message = denial.begun ? 'answer cut' : 'request refused';
  if (denial.reason === 'internal_error') log.error(fields, message);
  else if (denial.begun || outcome.status >= 500) log.warn(fields, message);
  else log.info(fields, message);
}

function accessFields(passage: Passage, outcome: Outcome): object {
  return {
    certificate: passage.identity?.certificate?.serial ?? null,
    upstream: passage.upstream?.name ?? null,
    bytes: outcome.bytesOut,
    bytesIn: passage.bytesIn ?? 0,
    durationMs: Math.round(outcome.durationMs),
    ...(passage.scrape === undefined ? {} : scrapeFields(passage.scrape)),
    ...(outcome.clientLeft ? { clientLeft: true } : {}),
    ...userAgentOf(passage),
  };
}

/** Last, because a stranger has written it. */
function userAgentOf({ userAgent }: Passage): object {
  return userAgent === undefined ? {} : { userAgent: escapeForeign(userAgent) };
}

function scrapeFields({ series, samples, bytes, firstByteMs, sharing }: ScrapeRecord): object {
  return {
    series,
    samples,
    uncompressedBytes: bytes,
    firstByteMs: firstByteMs === null ? null : Math.round(firstByteMs),
    sharing,
  };
}

function release(passage: Passage, log: Log): void {
  for (let undo = passage.releases.pop(); undo !== undefined; undo = passage.releases.pop()) {
    try {
      undo();
    } catch (error) {
      log.error({ id: passage.id, err: error }, 'a release failed');
    }
  }
}
