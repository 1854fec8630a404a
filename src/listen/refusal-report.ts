/** One log line and one count for every connection that is refused or cut. Never the only trace of a request. */
import { escapeForeign } from '../lib/foreign-text.ts';
import type { Log, Metrics } from '../observe/ports.ts';
import type { ConnectionFacts } from '../request/connection.ts';
import { DENY_REASONS, type DenyReason, type DenyReasonRow } from '../request/deny-reasons.ts';

export interface RefusalFields {
  /** What happened in the parser's or OpenSSL's words, or ours; nothing that a stranger typed. */
  readonly detail?: string;
  readonly connection?: number;
  readonly certificateSubject?: string;
  readonly certificateSerial?: string;
}

export type ReportRefusal = (reason: DenyReason, address: string, fields?: RefusalFields) => void;

/** What a load balancer puts in front, when it is told to. */
export const PROXY_PROTOCOL =
  'a PROXY protocol header, which is not understood here: switch it off in the proxy in front';
const GONE = 'ECONNRESET';

export function createRefusalReport({ log, metrics }: { readonly log: Log; readonly metrics: Metrics }): ReportRefusal {
  return (reason, address, fields = {}) => {
    metrics.refused(reason);
    const { level }: DenyReasonRow = DENY_REASONS[reason];
    // A client that leaves in its handshake is a health check of a load balancer more often than anything else.
    const hasLeft = reason === 'tls_handshake_failed' && fields.detail === GONE;
    const message = level === 'debug' ? 'connection ended' : 'connection refused';
    log[hasLeft ? 'debug' : (level ?? 'info')]({ reason, address, ...fields }, message);
  };
}

/** Which certificate was shown, and what OpenSSL said of it. A stranger chose both names, and a serial of any length. */
export function certificateFields({ tls }: ConnectionFacts): RefusalFields {
  const certificate = tls?.certificate ?? null;
  if (certificate === null) return {};
  const { subject, serial, verifyError } = certificate;
  const shown = { certificateSubject: escapeForeign(subject), certificateSerial: escapeForeign(serial) };
  return { ...shown, ...(verifyError === null ? {} : { detail: verifyError }) };
}
