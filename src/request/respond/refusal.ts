/**
 * What a refused client is told: status, headers and body by DenyReason. Pure. Never a version, a stack, an upstream's
 * address or the exact cause of a failed authentication.
 */
import { STATUS_CODES } from 'node:http';
import type { Config } from '../../config/config.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import type { AnswerHeaders, RefusalDetails } from '../answer.ts';
import { DENY_REASONS } from '../deny-reasons.ts';
import type { DenyReason } from '../deny-reasons.ts';

export interface Refusal {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Buffer;
}

export interface RefusedRequest {
  readonly id: string;
  readonly path: string;
}

const REALM = 'Basic realm="promgate", charset="UTF-8"';

/** Prometheus's own words (web/api/v1/api.go) where it has one. */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  408: 'timeout',
  429: 'too_many_requests',
  500: 'internal',
  502: 'unavailable',
  503: 'unavailable',
  504: 'timeout',
};

/** Characters; more is nobody's mistake. */
const LONGEST_TOLD = 256;

/** Seconds to wait when nobody knows better. */
const RETRY_AFTER = { 429: 60, 503: 5 } as const;

/** The answer to a refused request. A reason without a status (the connection is closed) counts as 400. */
export function renderRefusal(
  config: Config,
  request: RefusedRequest,
  reason: DenyReason,
  details: RefusalDetails = {},
): Refusal {
  const row = DENY_REASONS[reason];
  const status = row.status ?? 400;
  const told = details.told === undefined ? '' : `: ${escapeNonPrintable(details.told.slice(0, LONGEST_TOLD))}`;
  const text = `${row.public === '' ? 'bad request' : row.public}${told} (request ${request.id})`;
  const json = isApiPath(request.path);
  const body = Buffer.from(
    json ? JSON.stringify({ status: 'error', errorType: ERROR_TYPES[status] ?? 'bad_data', error: text }) : `${text}\n`,
  );
  return {
    status,
    headers: {
      'content-type': json ? 'application/json' : 'text/plain; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': request.id,
      ...refusalHeaders(config, status, details),
    },
    body,
  };
}

function refusalHeaders(config: Config, status: number, details: RefusalDetails): AnswerHeaders {
  if (status === 401) return passwordsAreAWayIn(config) ? { 'www-authenticate': REALM } : {};
  // RFC 9110 §15.5.6: Allow is mandatory, an empty list is meant for a resource without any method.
  if (status === 405) return { allow: (details.allow ?? []).join(', ') };
  if (status === 429 || status === 503) {
    return { 'retry-after': String(Math.max(1, Math.ceil(details.retryAfterSeconds ?? RETRY_AFTER[status]))) };
  }
  return {};
}

function passwordsAreAWayIn(config: Config): boolean {
  return config.authenticate === 'password' || config.authenticate === 'either' || config.authenticate === 'both';
}

function isApiPath(path: string): boolean {
  return path.includes('/api/v1/');
}

/**
 * A whole HTTP/1.1 answer for what the HTTP parser refused, when there is no request yet to answer through.
 * @returns the bytes to write before the socket is closed.
 */
export function rawRefusal(config: Config, reason: DenyReason, id = '-'): Buffer {
  const { status, headers, body } = renderRefusal(config, { id, path: '' }, reason);
  const lines = Object.entries({ ...headers, ...config.headers, connection: 'close' }).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}\r\n`),
  );
  const head = `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? 'Refused'}\r\n${lines.join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}
