/** When a CA wants a certificate renewed (ARI, RFC 9773): asked without an account, bounded, judged before it is used. */
import type { LookupFunction } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { AcmeFailure, type AcmeDirectory, type RenewalInfo } from './contract.ts';
import { certificateId } from './certificate-id.ts';
import { renewalInfoOf } from './order-document.ts';
import { isRecord, retryAfterMs } from './problem-document.ts';
import { createTransport } from './transport.ts';

const DEADLINE_MS = 10_000;
const LONGEST_BODY = 64 * 1024;
/** Without Retry-After; RFC 9773 §4.3 leaves it open, and twice a day is the least. */
const DEFAULT_RETRY_MS = 6 * 3_600_000;
const SHORTEST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 24 * 3_600_000;

export interface RenewalInfoPorts {
  readonly clock: Clock;
  readonly lookup?: LookupFunction | undefined;
}

/**
 * @returns null when the directory does not offer it, or the certificate names no issuer's key.
 * @throws {AcmeFailure}
 */
export async function fetchRenewalInfo(
  directory: AcmeDirectory,
  cert: string,
  { clock, lookup }: RenewalInfoPorts,
): Promise<RenewalInfo | null> {
  const id = certificateId(cert);
  if (id === null) return null;
  const controller = new AbortController();
  const timer = clock.after(
    DEADLINE_MS,
    () => {
      controller.abort(new AcmeFailure('timeout', 'the CA did not answer about renewal within 10 s'));
    },
    { ref: true },
  );
  const { signal } = controller;
  const transport = createTransport({ clock, ca: directory.ca, signal, lookup, longestBody: LONGEST_BODY });
  try {
    const { data } = await transport.request(directory.url, 'get');
    const base = renewalInfoOf(data);
    if (base === null) return null;
    const answer = await transport.request(`${base.replace(/\/+$/, '')}/${id}`, 'get');
    return readRenewalInfo(answer.data, retryAfterMs(answer.headers, clock.now()));
  } finally {
    timer.cancel();
    transport.close();
  }
}

/** @throws {AcmeFailure} `garbage` when there is no window with a start before its end. */
export function readRenewalInfo(value: unknown, retryAfter: number | null): RenewalInfo {
  const window = isRecord(value) ? value['suggestedWindow'] : undefined;
  const start = isRecord(window) ? timeOf(window['start']) : NaN;
  const end = isRecord(window) ? timeOf(window['end']) : NaN;
  if (!(start < end)) throw new AcmeFailure('garbage', 'the CA answered a renewal window that is none');
  const url = isRecord(value) ? value['explanationURL'] : undefined;
  const isUrl = typeof url === 'string' && /^https:\/\/[\x21-\x7e]{1,300}$/.test(url);
  return {
    start,
    end,
    explanationUrl: isUrl ? url : null,
    retryAfterMs: Math.min(Math.max(retryAfter ?? DEFAULT_RETRY_MS, SHORTEST_RETRY_MS), LONGEST_RETRY_MS),
  };
}

/** RFC 3339 as milliseconds since the epoch. */
function timeOf(value: unknown): number {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d)$/.test(value)
    ? Date.parse(value)
    : NaN;
}
