/**
 * @fastify/http-proxy, hardened: the one place where it is configured. It routes, picks the upstream and collects the
 * headers; what goes upstream is written from what was judged, and our own transport carries it. Each default of its
 * that must not apply here has its remedy below and a test in test/security/forward-*.
 */
import { METHODS } from 'node:http';
import type { FastifyHttpProxyOptions } from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import httpProxy from '@fastify/http-proxy';
import type { Passage } from '../passage.ts';
import { originOf } from './connector.ts';

/** What our transport needs of a request, carried through http-proxy under a key that no header can have. */
export interface Crossing {
  readonly passage: Passage;
  readonly request: FastifyRequest['raw'];
  readonly response: FastifyReply['raw'];
}

const CROSSING = Symbol('promgate.crossing');

type CarryingHeaders = Record<string, string | string[] | undefined> & { [CROSSING]?: Crossing };

/** Writes the request upstream; everything that comes of it happens to the passage's answer. */
export type Transport = (crossing: Crossing, headers: Record<string, string | string[] | undefined>) => void;
/** The headers for the upstream, written anew. */
export type WriteHeaders = (crossing: Crossing) => Record<string, string | string[]>;

/**
 * What has a route: authorize says which methods exist, with an Allow header, and a router that knows fewer would answer
 * 404 before. CONNECT makes tunnels, and the parser refuses it.
 */
const ROUTED_METHODS = METHODS.filter((method) => /^[A-Z]+$/.test(method) && method !== 'CONNECT');
/** TRACE would show the client the credential that the gate sends upstream. */
export const FORWARDED_METHODS: ReadonlySet<string> = new Set(ROUTED_METHODS.filter((method) => method !== 'TRACE'));

export interface Forwarding {
  /** Whether the upstream is to be asked; false: the request has been answered. */
  readonly before: (request: FastifyRequest) => boolean;
  readonly send: Transport;
  readonly write: WriteHeaders;
}

/** Registers the catch-all route, in a scope of its own. */
export async function registerProxy(app: FastifyInstance, { before, send, write }: Forwarding): Promise<void> {
  await app.register(async (scope) => {
    allowMethods(scope);
    leaveBodiesAlone(scope);
    scope.addHook('preHandler', (request, reply, next) => {
      if (before(request)) next();
      else reply.hijack();
    });
    await scope.register(httpProxy, proxyOptions(send, write));
  });
}

function proxyOptions(send: Transport, write: WriteHeaders): FastifyHttpProxyOptions {
  const transport = {
    // Anything with a `request` method is taken for undici. It never calls back: the answer is not Fastify's to write.
    request(options: { headers: CarryingHeaders }): void {
      const { [CROSSING]: crossing, ...headers } = options.headers;
      if (crossing === undefined) throw new Error('a request without its passage');
      send(crossing, headers);
    },
  };
  return {
    upstream: '',
    httpMethods: ROUTED_METHODS,
    // Default: re-encodes text bodies, hands streams to undici without a limit.
    proxyPayloads: false,
    // Default: builds the path by URL parsing. Path and query come from the judged target, so it is given nothing to build.
    preRewrite: () => '/',
    internalRewriteLocationHeader: false,
    disableRequestLogging: true,
    // Default: a GET that is answered 503 is asked ten times, each leaking a connection; see Exchange for our one retry.
    retryMethods: [],
    // Default: rejectUnauthorized false, 500 on errors with the upstream's address, no cancelling. All of it is ours.
    undici: transport as unknown as NonNullable<FastifyHttpProxyOptions['undici']>,
    replyOptions: {
      getUpstream: (request) => originOfUpstream((request as FastifyRequest).passage),
      retryDelay: () => null,
    },
    handler: (request: FastifyRequest, reply: FastifyReply, _path: string, options: object) => {
      const { passage } = request;
      // From here on Fastify must not write: a late error would be answered with its message.
      reply.hijack();
      const crossing: Crossing = { passage, request: request.raw, response: reply.raw };
      try {
        reply.from('/', {
          ...options,
          rewriteRequestHeaders: () => ({ ...write(crossing), [CROSSING]: crossing }) as never,
        });
      } catch (error) {
        passage.answer.refuse('internal_error', { detail: (error as Error).message });
      }
    },
  };
}

function originOfUpstream({ upstream }: Passage): string {
  if (upstream === null || upstream.address.kind === 'self') throw new Error('no upstream to ask');
  return originOf(upstream.address);
}

function allowMethods(scope: FastifyInstance): void {
  for (const method of ROUTED_METHODS) {
    if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method, { hasBody: true });
  }
}

/** Fastify's own parsers would read text and JSON into memory, up to their limit. */
function leaveBodiesAlone(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
}
