/**
 * One Fastify app per configuration: routes are frozen once it is ready, so a reload builds a new app behind the same
 * sockets and the listener calls the new one. The app never listens and never writes to a response by itself: every
 * answer goes through the passage's Answer.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log, Metrics } from '../observe/ports.ts';
import type { HostAddresses } from './accept/addresses.ts';
import { arrivalOf } from './arrival.ts';
import type { PasswordCheck } from './authenticate/password-check.ts';
import type { Enrollment } from './enrollment.ts';
import type { UpstreamPools } from './forward/pools.ts';
import type { Scrapes } from './forward/scrape/scrapes.ts';
import type { Passage } from './passage.ts';
import { registerSteps } from './pipeline.ts';
import { createRequestIds } from './request-ids.ts';
import { createAnswer } from './respond/answer.ts';
import type { ServedUpstream } from './upstream.ts';

/** What outlives a reload; made once by the composition root. */
export interface Services {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly hosts: HostAddresses;
  readonly passwordCheck: PasswordCheck;
  /** Absent: nobody gets a certificate here. */
  readonly enrollment?: Enrollment;
  readonly pools: UpstreamPools;
  readonly scrapes: Scrapes;
  readonly self: ServedUpstream;
}

export type RequestHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

/** While it is being filled in. */
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export interface App {
  readonly handle: RequestHandler;
  close(): Promise<void>;
}

/** Makes the one decorated property of a request. */
function passagePlugin(config: Config, { clock, log, metrics }: Services) {
  return fp(
    (app, _options, done) => {
      // Fastify wants the property's shape to exist before the first request; the value is per request.
      app.decorateRequest('passage', null as unknown as Passage);
      const newId = createRequestIds();
      app.addHook('onRequest', (request, reply, next) => {
        const { connection, target, fault, expectsContinue } = arrivalOf(request.raw);
        const passage: Writable<Omit<Passage, 'answer'>> & { answer: Passage['answer'] | null } = {
          id: newId(),
          config,
          connection,
          target,
          answer: null,
          startedAt: clock.monotonic(),
          expectsContinue,
          userAgent: request.headers['user-agent'],
          address: connection.facts.peer,
          identity: null,
          upstream: null,
          kindPath: target.path,
          endpointClass: null,
          releases: [],
        };
        if (fault?.asked !== undefined) passage.asked = fault.asked;
        passage.answer = createAnswer({
          request: request.raw,
          response: reply.raw,
          passage: passage as Passage,
          clock,
          log,
          metrics,
        });
        request.passage = passage as Passage;
        next();
      });
      done();
    },
    { name: 'passage' },
  );
}

/** Pinned, because a router that reads a path differently from the judge is a way around the judge. */
const ROUTING = {
  caseSensitive: true,
  useSemicolonDelimiter: false,
  ignoreDuplicateSlashes: false,
  // What is judged is the target's own query; a second reading of it is work for nothing, and could differ.
  querystringParser: () => NO_QUERY,
};
const NO_QUERY: Record<string, unknown> = Object.freeze({});

/** No route has a schema; the compilers that Fastify would load in any case are a fifth of the time of a start. */
const noSchema = () => () => {
  throw new Error('no route has a schema');
};
const NO_SCHEMAS = { compilersFactory: { buildValidator: noSchema, buildSerializer: noSchema } };

/** Builds the app of one configuration; about 3 ms. */
export async function buildApp(config: Config, services: Services): Promise<App> {
  const handlers: RequestHandler[] = [];
  const app: FastifyInstance = Fastify({
    logger: false,
    trustProxy: false,
    requestIdHeader: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: ROUTING,
    schemaController: NO_SCHEMAS,
    serverFactory: (routing) => {
      handlers.push(routing as unknown as RequestHandler);
      return createServer();
    },
  });
  await app.register(passagePlugin(config, services));
  await registerSteps(app, {
    respond: {},
    accept: { config, hosts: services.hosts, clock: services.clock },
    authenticate: services,
    enforce: { config, clock: services.clock, bodies: services.pools.bodies },
    forward: { config, ...services },
  });
  await app.ready();
  const [handle] = handlers;
  if (handle === undefined) throw new Error('Fastify did not ask for a server');
  return { handle, close: () => app.close() };
}
