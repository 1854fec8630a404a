/**
 * What is asked of an upstream, written from what was judged. For an identity that may not see everything it is the
 * question that enforce has written: nothing of the request's own query or body goes upstream.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Passage } from '../passage.ts';
import type { WrittenQuestion } from '../question.ts';
import { upstreamHeaders } from './request-headers.ts';

export type UpstreamHeaders = Record<string, string | string[]>;

type RawRequest = IncomingMessage | Http2ServerRequest;

/** The headers for the upstream, written anew for each request. */
export function headersFor(passage: Passage, request: RawRequest): UpstreamHeaders {
  const { upstream, connection, config, question, identity } = passage;
  if (upstream === null) throw new Error('no upstream to ask');
  const { peer, tls } = connection.facts;
  const headers = upstreamHeaders(request.headers, {
    kind: upstream.kind,
    endpointClass: passage.endpointClass,
    peer,
    peerIsTrusted: config.access.trustedProxies.has(peer),
    scheme: tls === null ? 'http' : 'https',
    host: hostOf(request.headers),
    identityName: identity?.name ?? 'anonymous',
    authorization: upstream.authorization,
    passCookies: upstream.passCookies,
    set: upstream.setHeaders,
    setForIdentity: identity?.claim.kind === 'rule' ? identity.claim.rule.setHeaders : null,
    neverFromClient: config.setHeaderNames,
  });
  return question === undefined ? headers : questionHeaders(headers, question);
}

/** What is said of a body is said of ours, and a filter gets a whole answer in a form that it can read. */
function questionHeaders(headers: UpstreamHeaders, { body, filter }: WrittenQuestion): UpstreamHeaders {
  const out: UpstreamHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    const isOfTheBody = name.startsWith('content-');
    const isOfAPart = filter !== null && (name === 'range' || name.startsWith('if-'));
    if (!isOfTheBody && !isOfAPart) out[name] = value;
  }
  if (body !== null) {
    out['content-type'] = 'application/x-www-form-urlencoded';
    out['content-length'] = String(body.length);
  }
  if (filter !== null) {
    out['accept'] = filter.accept;
    out['accept-encoding'] = 'identity';
  }
  return out;
}

/** The path upstream, without its query. */
export function pathFor({ upstream, target, kindPath }: Passage): string {
  if (upstream === null) throw new Error('no upstream to ask');
  return upstream.basePath + (upstream.stripPrefix ? kindPath : target.path);
}

/** The path upstream with its query. */
export function targetFor(passage: Passage): string {
  const query = passage.question?.query ?? passage.target.query;
  return pathFor(passage) + (query === '' ? '' : `?${query}`);
}

function hostOf(headers: IncomingHttpHeaders): string | null {
  const host = headers[':authority'] ?? headers.host;
  return typeof host === 'string' ? host : null;
}
