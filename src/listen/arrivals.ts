/**
 * From a parsed request to the app: counted, judged in its target and framing, and handed on with its arrival. Whatever
 * is wrong is handed on too, as a fault, so that every refusal has its log line, its counter and its headers.
 */
import { METHODS } from 'node:http';
import type { Config } from '../config/config.ts';
import { escapeForeign } from '../lib/foreign-text.ts';
import { attachArrival, type ArrivalFault } from '../request/arrival.ts';
import { DENY_REASONS } from '../request/deny-reasons.ts';
import { judgeFraming } from '../request/framing.ts';
import { judgeTarget, type Target } from '../request/target.ts';
import type { LiveConnection } from './live-connection.ts';
import type { ListenPorts, RawRequest, RawResponse } from './ports.ts';
import type { Registry } from './registry.ts';
import type { Strangers } from './strangers.ts';

/** Names and values of all headers and the request line; on HTTP/1.1 the parser's own limit. */
export const HEADER_BYTES = 64 * 1024;
const MOST_UNANSWERED = 4;
const NOTHING: Target = { method: 'GET', path: '/', query: '' };
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

export type Arrive = (
  connection: LiveConnection,
  request: RawRequest,
  response: RawResponse,
  expectsContinue: boolean,
) => void;

type Handle = (
  connection: LiveConnection,
  request: RawRequest,
  response: RawResponse,
  head: { readonly headerBytes: number; readonly expectsContinue: boolean },
) => void;

export interface ArrivalPorts {
  readonly registry: Registry;
  readonly strangers: Strangers;
  readonly current: () => Config;
}

export function createArrivals(ports: ListenPorts, { registry, strangers, current }: ArrivalPorts): Arrive {
  const handle: Handle = (connection, request, response, { headerBytes, expectsContinue }) => {
    const fault = leavingFault(connection, registry, current().generation);
    const judged = fault === null ? judgeHead(request, headerBytes) : { target: NOTHING, fault };
    const told = judged.fault === null ? judged : { target: NOTHING, fault: withRequestLine(judged.fault, request) };
    attachArrival(request, { connection, ...told, expectsContinue });
    if (told.fault !== null) neutralise(request);
    ports.handle(request, response);
  };
  return (connection, request, response, expectsContinue) => {
    // The rest of a chunk that was read before its connection was destroyed still comes out of the parser.
    if (connection.isOver) return;
    // Before any other work: 20 000 pipelined requests fit into one chunk.
    if (connection.session === null && connection.inFlight.size >= MOST_UNANSWERED) {
      registry.cut(connection, 'pipeline_exceeded');
      return;
    }
    // A refusal costs us more than asking costs a stranger; who has authenticated is not counted.
    if (!connection.authenticated && connection.strangers.exceeds(ports.clock.monotonic())) {
      registry.cut(connection, 'unauthenticated_flood');
      return;
    }
    const headerBytes = countBytes(request.rawHeaders);
    connection.begin(request, response, headerBytes);
    if (registry.isOverweight(connection)) return;
    const head = { headerBytes, expectsContinue };
    if (connection.authenticated) {
      handle(connection, request, response, head);
      return;
    }
    strangers.handle(connection, () => {
      if (!isGone(connection, response)) handle(connection, request, response, head);
    });
  };
}

/** A stranger's request may have waited for its turn. */
function isGone(connection: LiveConnection, response: RawResponse): boolean {
  if (connection.isOver) return true;
  return 'stream' in response && (response.stream.aborted || response.stream.destroyed);
}

/**
 * A connection that was judged under an older configuration is judged again before its request is handled. The first one
 * after a drain has begun is answered: it was on its way.
 */
function leavingFault(connection: LiveConnection, registry: Registry, generation: number): ArrivalFault | null {
  if (!connection.leaving && connection.judgedUnder !== generation) registry.judge(connection);
  if (!connection.leaving) return null;
  const reason = connection.leaveReason;
  if (reason === null && connection.isFirstRequest) return null;
  const isAnswerable = reason !== null && DENY_REASONS[reason].status !== null;
  return { reason: isAnswerable ? reason : 'draining', detail: 'the connection is closing' };
}

function judgeHead(
  request: RawRequest,
  headerBytes: number,
): { readonly target: Target; readonly fault: ArrivalFault | null } {
  const { method = '', url = '', httpVersion, rawHeaders } = request;
  const early = sizeFault(request, headerBytes) ?? methodFault(method);
  if (early !== null) return { target: NOTHING, fault: early };
  const target = judgeTarget(method, url);
  if ('fault' in target) return { target: NOTHING, fault: { reason: 'bad_target', detail: target.fault } };
  const bodyFollows = 'stream' in request && !request.stream.endAfterHeaders;
  const fault = judgeFraming({ httpVersion, method, rawHeaders, bodyFollows });
  return { target: fault === null ? target : NOTHING, fault };
}

/** For the log: the path where it is in normal form, whatever else is wrong; else the target as it came. */
function withRequestLine(fault: ArrivalFault, { method = '', url = '' }: RawRequest): ArrivalFault {
  // Never the query: it is in no other line of the log either.
  const [path = ''] = url.split('?', 1);
  const asked = { method: escapeForeign(method), path: 'fault' in judgeTarget('GET', path) ? null : path };
  if (asked.path !== null || path === '') return { ...fault, asked };
  const joint = fault.reason === 'bad_target' ? ' in ' : ', asked for ';
  return { ...fault, detail: `${fault.detail}${joint}${escapeForeign(withoutUserinfo(path))}`, asked };
}

/** `http://user:password@host/`, cut in the middle, would be out of reach of the log's own redaction. */
function withoutUserinfo(target: string): string {
  return target.replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/|(?!\/))[^/]*@/i, '$1[redacted]@');
}

/** h2 announces a little more than it takes: what the native limit refuses leaves no trace in any event. */
function sizeFault(request: RawRequest, headerBytes: number): ArrivalFault | null {
  if (!('stream' in request)) return null;
  return headerBytes > HEADER_BYTES ? { reason: 'headers_too_large', detail: 'h2 header list' } : null;
}

function countBytes(rawHeaders: readonly string[]): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/** The HTTP/1.1 parser knows its methods; h2 lets everything through. CONNECT is no request to an origin. */
function methodFault(method: string): ArrivalFault | null {
  if (method === 'CONNECT') return { reason: 'bad_http', detail: 'CONNECT' };
  return KNOWN_METHODS.has(method) ? null : { reason: 'bad_http', detail: 'unknown method' };
}

/** Nobody may route by what was not in normal form. HEAD stays: its answer must have no body. */
function neutralise(request: RawRequest): void {
  request.url = '/';
  const { method = '' } = request;
  // Declared read-only for h2, where Node has a setter for it.
  if (!KNOWN_METHODS.has(method) || method === 'CONNECT') (request as { method: string }).method = 'GET';
}
