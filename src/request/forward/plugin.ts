/**
 * Step 5: asks the upstream that authorize has chosen: scrapes by the scrape path, what enforce has written directly, the
 * rest through @fastify/http-proxy; or the gate itself.
 */
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Config, Upstream } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Answer } from '../answer.ts';
import { announcedLength, hasBody, sendContinue } from '../message.ts';
import { partyOf } from '../party.ts';
import type { Passage } from '../passage.ts';
import type { ServedUpstream } from '../upstream.ts';
import { Exchange } from './exchange.ts';
import type { UpstreamPools } from './pools.ts';
import { FORWARDED_METHODS, registerProxy } from './proxy.ts';
import type { Crossing } from './proxy.ts';
import { RequestBody } from './request-body.ts';
import { limitsOf } from './scrape/limits.ts';
import { isHeadOfScrape, isScrape, planScrape } from './scrape/plan.ts';
import type { Scrapes } from './scrape/scrapes.ts';
import { headersFor, pathFor, targetFor } from './upstream-request.ts';
import type { UpstreamHeaders } from './upstream-request.ts';

/** What outlives the app. */
interface Upstreams {
  readonly clock: Clock;
  readonly pools: UpstreamPools;
  readonly scrapes: Scrapes;
  readonly self: ServedUpstream;
}

export interface ForwardOptions extends Upstreams {
  /** Its pools are held until the app closes. */
  readonly config: Config;
}

export const forwardPlugin = fp<ForwardOptions>(
  async (app, { config, ...upstreams }) => {
    const release = upstreams.pools.retain(config);
    app.addHook('onClose', (_app, done) => {
      release();
      done();
    });
    await registerProxy(app, {
      before: (request) => beforeAsking(request, upstreams),
      send: (crossing, headers) => {
        forward(crossing, headers, upstreams);
      },
      write: ({ passage, request }) => headersFor(passage, request),
    });
  },
  { name: 'forward', dependencies: ['authorize'] },
);

/** Answers what http-proxy need not see; true: go on. */
function beforeAsking({ passage, raw }: FastifyRequest, upstreams: Upstreams): boolean {
  const { upstream, answer, target, question } = passage;
  if (upstream === null) {
    answer.refuse('internal_error', { detail: 'no upstream was chosen' });
  } else if (!FORWARDED_METHODS.has(target.method)) {
    answer.refuse('method_not_allowed', { allow: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] });
  } else if ((announcedLength(raw) ?? 0) > upstream.requestBodyLimit) {
    answer.refuse('body_too_large', { detail: `announced ${String(announcedLength(raw))} bytes` });
  } else if (isScrape(passage)) {
    scrape(passage, upstream, raw, upstreams);
  } else if (isHeadOfScrape(passage) && !upstreams.scrapes.admit(passage)) {
    return false;
  } else if (upstream.address.kind === 'self' || question !== undefined) {
    const filtered = question?.filter?.over(answer) ?? answer;
    askFor(passage, upstream, headersFor(passage, raw), upstreams, filtered);
  } else {
    return true;
  }
  return false;
}

function scrape(passage: Passage, upstream: Upstream, raw: FastifyRequest['raw'], upstreams: Upstreams): void {
  const headers = headersFor(passage, raw);
  const plan = planScrape(passage, pathFor(passage), headers, raw.headers['accept-encoding']);
  upstreams.scrapes.begin({
    passage,
    plan,
    limits: limitsOf(passage, plan),
    ask: (answer) => {
      askFor(passage, upstream, headers, upstreams, answer);
    },
  });
}

/** Asks what was judged, without anything of the request's own body. */
function askFor(
  passage: Passage,
  upstream: Upstream,
  headers: UpstreamHeaders,
  { pools, self }: Upstreams,
  answer: Answer,
): void {
  const { target, question, kindPath } = passage;
  const method = question?.method ?? target.method;
  if (upstream.address.kind === 'self') {
    const party = passage.identity?.name ?? passage.address;
    self({ party, method, path: kindPath, query: question?.query ?? target.query, headers }, answer);
    return;
  }
  const body = question?.body ?? null;
  const asked = { party: partyOf(passage), method, path: targetFor(passage), headers, body };
  new Exchange(asked, upstream, pools.of(upstream), answer).start();
}

/** Passes a request on with its body, from http-proxy. */
function forward(
  { passage, request, response }: Crossing,
  headers: Record<string, string | string[] | undefined>,
  { pools, clock }: Upstreams,
): void {
  const { upstream, target, answer } = passage;
  if (upstream === null) throw new Error('no upstream to ask');
  const length = announcedLength(request);
  const body = hasBody(request)
    ? new RequestBody(request, {
        party: partyOf(passage),
        memory: pools.bodies,
        clock,
        limit: upstream.requestBodyLimit,
        onWanted: () => {
          if (passage.expectsContinue) sendContinue(response);
        },
        onBytes: (count) => {
          passage.bytesIn = (passage.bytesIn ?? 0) + count;
        },
      })
    : null;
  if (body !== null) {
    passage.releases.push(() => {
      body.release();
    });
  }
  const framed = body !== null && length !== null ? { ...headers, 'content-length': String(length) } : headers;
  const question = {
    party: partyOf(passage),
    method: target.method,
    path: targetFor(passage),
    headers: framed,
    body,
  };
  new Exchange(question, upstream, pools.of(upstream), answer).start();
}
