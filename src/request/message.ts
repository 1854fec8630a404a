/** Facts about HTTP messages that more than one step needs: hop-by-hop headers, and whether a body is still to come. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';

/**
 * Headers that belong to one connection (RFC 9110 §7.6.1 and what was once listed in RFC 2616 §13.5.1). They go both
 * ways into the bin, together with those that a Connection header names.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const NOTHING_NAMED: ReadonlySet<string> = new Set();

/** The header names that a Connection header lists, lower case; a set, because 64 KiB of them are asked for each header. */
export function namedByConnection(value: string | string[] | undefined): ReadonlySet<string> {
  if (value === undefined || value === 'keep-alive' || value === 'close') return NOTHING_NAMED;
  const tokens = String(value).toLowerCase().split(',');
  return new Set(tokens.map((token) => token.trim()).filter((token) => !NOT_NAMES.has(token)));
}

const NOT_NAMES: ReadonlySet<string> = new Set(['', 'close', 'keep-alive']);

/** The stream of an h2 request; null on HTTP/1. The version is no proof: a client can claim HTTP/2.0 on HTTP/1. */
export function http2StreamOf(request: IncomingMessage | Http2ServerRequest): ServerHttp2Stream | null {
  return 'stream' in request ? request.stream : null;
}

/** Whether the request announced a body (RFC 9112 §6.3; on h2: no END_STREAM with the headers). */
export function hasBody(request: IncomingMessage | Http2ServerRequest): boolean {
  const stream = http2StreamOf(request);
  if (stream !== null) return !stream.endAfterHeaders;
  if (request.headers['transfer-encoding'] !== undefined) return true;
  const length = request.headers['content-length'];
  return length !== undefined && length !== '0';
}

/** Whether a body was announced and has not come to its end. */
export function bodyIsOutstanding(request: IncomingMessage | Http2ServerRequest): boolean {
  if (!hasBody(request)) return false;
  const stream = http2StreamOf(request);
  return stream === null ? !(request as IncomingMessage).complete : !stream.readableEnded;
}

/** RFC 9110 §12.5.3: whether gzip is taken, by name or by `*`, unless its weight is 0. Several headers are joined by a comma. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  // What Prometheus and most others send.
  if (acceptEncoding === 'gzip') return true;
  if (acceptEncoding === undefined || acceptEncoding === '') return false;
  let byName: boolean | null = null;
  let byStar = false;
  for (const item of acceptEncoding.toLowerCase().split(',')) {
    const [coding, ...parameters] = item.split(';').map((part) => part.trim());
    const accepted = !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
    if (coding === 'gzip' || coding === 'x-gzip') byName = accepted;
    else if (coding === '*') byStar = accepted;
  }
  return byName ?? byStar;
}

/** Whether a body was cut short. On h2 a stream that was reset ends like one that is complete. */
export function wasReset(request: IncomingMessage | Http2ServerRequest): boolean {
  const stream = http2StreamOf(request);
  if (stream === null) return !(request as IncomingMessage).complete;
  return stream.aborted || stream.rstCode !== 0;
}

/** Sends `100 Continue`, on either protocol; a response that has begun or gone is left alone. */
export function sendContinue(response: ServerResponse | Http2ServerResponse): void {
  if (!response.headersSent && !response.writableEnded && !response.destroyed) response.writeContinue();
}

/** What Content-Length says; null when nothing does. */
export function announcedLength(request: IncomingMessage | Http2ServerRequest): number | null {
  const value = request.headers['content-length'];
  return value !== undefined && /^[0-9]+$/.test(value) ? Number(value) : null;
}
