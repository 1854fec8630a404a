/** Step 5: asks the upstream that authorize has chosen, through @fastify/http-proxy, or the gate itself. */
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../../config/config.ts';
import type { ServedUpstream } from '../upstream.ts';
import { hasBody } from '../message.ts';
import { Exchange } from './exchange.ts';
import type { UpstreamPools } from './pools.ts';
import { FORWARDED_METHODS, registerProxy } from './proxy.ts';
import type { Crossing } from './proxy.ts';
import { announcedLength, RequestBody, sendContinue } from './request-body.ts';
import { upstreamHeaders } from './request-headers.ts';

export interface ForwardOptions {
  /** Its pools are held until the app closes. */
  readonly config: Config;
  readonly pools: UpstreamPools;
  readonly self: ServedUpstream;
}

export const forwardPlugin = fp<ForwardOptions>(
  async (app, { config, pools, self }) => {
    const release = pools.retain(config);
    app.addHook('onClose', (_app, done) => {
      release();
      done();
    });
    await registerProxy(app, {
      before: (request) => beforeAsking(request, self),
      send: (crossing, headers) => {
        ask(crossing, headers, pools);
      },
      write: headersFor,
    });
  },
  { name: 'forward', dependencies: ['authorize'] },
);

/** Answers what is not to be asked of an upstream; true: go on. */
function beforeAsking({ passage, raw }: FastifyRequest, self: ServedUpstream): boolean {
  const { upstream, answer, target } = passage;
  if (upstream === null) {
    answer.refuse('internal_error', { detail: 'no upstream was chosen' });
  } else if (!FORWARDED_METHODS.has(target.method)) {
    answer.refuse('method_not_allowed', { allow: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] });
  } else if ((announcedLength(raw) ?? 0) > upstream.requestBodyLimit) {
    answer.refuse('body_too_large', { detail: `announced ${String(announcedLength(raw))} bytes` });
  } else if (upstream.address.kind === 'self') {
    const headers = headersFor({ passage, request: raw });
    self({ method: target.method, path: passage.kindPath, query: target.query, headers }, answer);
  } else {
    return true;
  }
  return false;
}

/** The headers of the request upstream, from what was judged. */
function headersFor({ passage, request }: Pick<Crossing, 'passage' | 'request'>): Record<string, string | string[]> {
  const { upstream, connection, config } = passage;
  if (upstream === null) throw new Error('no upstream to ask');
  const { peer, tls } = connection.facts;
  return upstreamHeaders(request.headers, {
    kind: upstream.kind,
    endpointClass: passage.endpointClass,
    peer,
    peerIsTrusted: config.access.trustedProxies.has(peer),
    scheme: tls === null ? 'http' : 'https',
    host: hostOf(request.headers),
    identityName: passage.identity?.name ?? 'anonymous',
    authorization: upstream.authorization,
  });
}

function hostOf(headers: FastifyRequest['raw']['headers']): string | null {
  const host = headers[':authority'] ?? headers.host;
  return typeof host === 'string' ? host : null;
}

function ask(
  { passage, request, response }: Crossing,
  headers: Record<string, string | string[] | undefined>,
  pools: UpstreamPools,
): void {
  const { upstream, target, answer } = passage;
  if (upstream === null) throw new Error('no upstream to ask');
  const length = announcedLength(request);
  const body = hasBody(request)
    ? new RequestBody(request, {
        limit: upstream.requestBodyLimit,
        onWanted: () => {
          if (passage.expectsContinue) sendContinue(response);
        },
        onBytes: (count) => {
          passage.bytesIn = (passage.bytesIn ?? 0) + count;
        },
      })
    : null;
  const below = upstream.stripPrefix ? passage.kindPath : target.path;
  const path = upstream.basePath + below + (target.query === '' ? '' : `?${target.query}`);
  const framed = body !== null && length !== null ? { ...headers, 'content-length': String(length) } : headers;
  const { method } = target;
  const question = { method, path, headers: framed, body };
  new Exchange(question, upstream, pools.of(upstream), answer).start();
}
