/**
 * What a page of another origin may do (Fetch standard, "CORS protocol"). Only the operator's origins get headers at all,
 * and a preflight says the same whatever is asked for: it carries no credentials, and must not tell what exists here.
 * Whether the request behind it is allowed is decided like every other one's.
 */
import type { Cors } from '../../config/config.ts';
import type { AnswerHeaders } from '../answer.ts';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
/** Asked for where a browser's list cannot be repeated. */
const USUAL_HEADERS = 'authorization, content-type';
const LONGEST_LIST = 1024;
/** Field names (RFC 9110 §5.1) and commas. */
const FIELD_NAMES = /^[\w!#$%&'*+.^`|~-]+(?: *, *[\w!#$%&'*+.^`|~-]+)*$/;

type Header = string | string[] | undefined;

/** The client's origin, if the operator listed it; else null. Two headers are none. */
export function knownOrigin(origin: Header, cors: Cors): string | null {
  return typeof origin === 'string' && cors.origins.has(origin) ? origin : null;
}

/** Whether a browser asks beforehand: OPTIONS with the method that is to come. */
export function isPreflight(method: string, requestedMethod: Header): boolean {
  return method === 'OPTIONS' && requestedMethod !== undefined;
}

/** @param requestedHeaders what the browser will send, repeated to it if it is a list of names. */
export function preflightHeaders(requestedHeaders: Header, cors: Cors): AnswerHeaders {
  const isList =
    typeof requestedHeaders === 'string' &&
    requestedHeaders.length <= LONGEST_LIST &&
    FIELD_NAMES.test(requestedHeaders);
  return {
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': isList ? requestedHeaders : USUAL_HEADERS,
    'access-control-max-age': String(Math.floor(cors.maxAgeMs / 1000)),
  };
}
