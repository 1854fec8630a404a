/** What went wrong on the way to an upstream, as a DenyReason. Pure. Addresses stay in the detail, which is for the log. */
import type { DenyReason } from '../deny-reasons.ts';

export interface Failure {
  readonly reason: DenyReason;
  /** For the log only. */
  readonly detail: string;
}

/** An error that knows its own reason: the request body's. */
export class ForwardError extends Error {
  readonly reason: DenyReason;

  constructor(reason: DenyReason, message: string) {
    super(message);
    this.name = 'ForwardError';
    this.reason = reason;
  }
}

const REASONS: Readonly<Record<string, DenyReason>> = {
  ETIMEDOUT: 'upstream_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'upstream_timeout',
  UND_ERR_HEADERS_TIMEOUT: 'upstream_timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream_timeout',
  // A header value that cannot be sent, which nobody refused before.
  UND_ERR_INVALID_ARG: 'bad_header',
  UND_ERR_NOT_SUPPORTED: 'bad_header',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'bad_framing',
};

const CONNECTION_DEATHS: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** @param connected whether the request was written, or there was no connection to write it to. */
export function failureOf(error: Error, connected: boolean): Failure {
  if (error instanceof ForwardError) return { reason: error.reason, detail: error.message };
  const code = codeOf(error);
  const message = messageOf(error);
  return {
    reason: REASONS[code] ?? (connected ? 'upstream_failed' : 'upstream_unreachable'),
    detail: code === '' || message.includes(code) ? message : `${code}: ${message}`,
  };
}

/** Whether the connection ended under a request, as a kept-alive one does when the upstream closes it meanwhile. */
export function isConnectionDeath(error: Error): boolean {
  return CONNECTION_DEATHS.has(codeOf(error));
}

/** Of an attempt at several addresses: what each of them said. */
function messageOf(error: Error): string {
  if (!(error instanceof AggregateError)) return error.message;
  return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join(', ');
}

function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : '';
}
