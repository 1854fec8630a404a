/**
 * The last two steps behind real sockets: HTTP/1.1 and HTTP/2 without TLS, with a passage made by hand in the place of
 * accept, authenticate and authorize.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createHttp2Server } from 'node:http2';
import type { ServerHttp2Session } from 'node:http2';
import type { AddressInfo, LookupFunction, Server as NetServer, Socket } from 'node:net';
import Fastify from 'fastify';
import fp from 'fastify-plugin';
import type { Config, Upstream } from '../../../src/config/config.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { createLookup } from '../../../src/lib/lookup.ts';
import { createResolveHost } from '../../../src/lib/resolve-host.ts';
import { noMetrics } from '../../../src/observe/ports.ts';
import type { Metrics, RequestRecord } from '../../../src/observe/ports.ts';
import { forwardPlugin } from '../../../src/request/forward/plugin.ts';
import { createUpstreamPools } from '../../../src/request/forward/pools.ts';
import type { UpstreamPools } from '../../../src/request/forward/pools.ts';
import { createScrapes } from '../../../src/request/forward/scrape/scrapes.ts';
import type { Scrapes } from '../../../src/request/forward/scrape/scrapes.ts';
import type { Identity } from '../../../src/request/identity.ts';
import type { Passage } from '../../../src/request/passage.ts';
import { createAnswer } from '../../../src/request/respond/answer.ts';
import { respondPlugin } from '../../../src/request/respond/plugin.ts';
import type { ServedUpstream } from '../../../src/request/upstream.ts';
import { configOf } from '../../support/config-fixture.ts';
import { recordingLog } from '../../observe/recording-log.ts';

export interface GateOptions {
  readonly upstream: Upstream;
  readonly config?: Partial<Config>;
  readonly clock?: Clock;
  readonly self?: ServedUpstream;
  /** Changes a passage before it goes on, or answers it; false: it does not go on. */
  readonly before?: (passage: Passage) => boolean;
  /** HTTP/1.1 over TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Who a request is from; nobody without it. */
  readonly identityOf?: (request: IncomingMessage) => Identity | null;
  /** Names of upstreams to addresses. */
  readonly lookup?: LookupFunction;
  /** Pools shared with another gate. */
  readonly pools?: UpstreamPools;
  readonly scrapes?: Scrapes;
}

export interface RecordedMetrics extends Metrics {
  readonly records: RequestRecord[];
  readonly refusals: string[];
  readonly ups: boolean[];
  retries: number;
  flying: number;
}

export interface TestGate {
  /** `http://127.0.0.1:port`, or https. */
  readonly url: string;
  readonly port: number;
  /** For `curl --http2-prior-knowledge` and node:http2. */
  readonly http2Url: string;
  readonly log: ReturnType<typeof recordingLog>;
  readonly metrics: RecordedMetrics;
  readonly upstream: Upstream;
  readonly pools: UpstreamPools;
  close(): Promise<void>;
}

export function recordingMetrics(): RecordedMetrics {
  const recorded: RecordedMetrics = {
    ...noMetrics,
    records: [],
    refusals: [],
    ups: [],
    retries: 0,
    flying: 0,
    request: (record) => recorded.records.push(record),
    refused: (reason) => recorded.refusals.push(reason),
    upstreamUp: (_name, up) => recorded.ups.push(up),
    upstreamRetried: () => {
      recorded.retries += 1;
    },
    inFlight: (delta) => {
      recorded.flying += delta;
    },
  };
  return recorded;
}

export async function startGate(options: GateOptions): Promise<TestGate> {
  const clock = options.clock ?? systemClock;
  const log = recordingLog();
  const metrics = recordingMetrics();
  const config = configOf({ upstreams: [options.upstream], ...options.config });
  const resolveHost = createResolveHost({ readHosts: () => Promise.resolve(''), timeoutMs: 1000 });
  const lookup = options.lookup ?? createLookup({ resolveHost });
  const pools = options.pools ?? createUpstreamPools({ metrics, clock, lookup });
  const scrapes = options.scrapes ?? createScrapes({ clock });
  let count = 0;

  const passages = fp(
    (app, _options, done) => {
      app.decorateRequest('passage', null as unknown as Passage);
      app.addHook('onRequest', (request, reply, next) => {
        count += 1;
        const { raw } = request;
        const [path = '', query = ''] = (raw.url ?? '').split('?', 2);
        const passage = {
          id: `r${String(count)}`,
          config,
          connection: {
            facts: { id: 1, peer: raw.socket.remoteAddress ?? '', tls: null },
            judgedUnder: 1,
            authenticated: false,
            leaving: false,
            drain: () => undefined,
            destroy: () => raw.socket.destroy(),
          },
          target: { method: raw.method ?? '', path, query },
          startedAt: clock.monotonic(),
          expectsContinue: raw.headers.expect === '100-continue',
          address: raw.socket.remoteAddress ?? '',
          identity: options.identityOf?.(raw) ?? null,
          upstream: options.upstream,
          kindPath: path,
          endpointClass: null,
          releases: [],
        } as unknown as Passage;
        const response = reply.raw;
        Object.assign(passage, { answer: createAnswer({ request: raw, response, passage, log, metrics, clock }) });
        request.passage = passage;
        if (options.before?.(passage) !== false) next();
      });
      done();
    },
    { name: 'authorize' },
  );

  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const app = Fastify({
    logger: false,
    return503OnClosing: false,
    serverFactory: (routing) => {
      handle = routing;
      return createServer();
    },
  });
  await app.register(respondPlugin, {});
  await app.register(passages);
  await app.register(forwardPlugin, { config, clock, pools, scrapes, self: options.self ?? (() => undefined) });
  await app.ready();

  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const http1 = (options.tls === undefined ? createServer(handle) : createTlsServer(options.tls, handle))
    .on('checkContinue', handle)
    .on('checkExpectation', handle);
  const http2 = createHttp2Server(handle as never);
  http2.on('checkContinue', handle as never);
  for (const server of [http1, http2] as NetServer[]) server.on('connection', (socket: Socket) => sockets.add(socket));
  http2.on('session', (session) => sessions.add(session));
  const port = await listen(http1);
  const http2Port = await listen(http2);
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${String(port)}`,
    port,
    http2Url: `http://127.0.0.1:${String(http2Port)}`,
    log,
    metrics,
    upstream: options.upstream,
    pools,
    async close() {
      await app.close();
      if (options.pools === undefined) await pools.close();
      if (options.scrapes === undefined) scrapes.close();
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await Promise.all([http1, http2].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

async function listen(server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

export interface Origin {
  readonly port: number;
  readonly server: Server;
  /** Sockets accepted so far. */
  readonly sockets: Set<Socket>;
  /** Requests seen, oldest first. */
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

/** A real node:http upstream that remembers what it was asked. */
export async function startOrigin(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  makeServer: (listener: (request: IncomingMessage, response: ServerResponse) => void) => Server = createServer,
): Promise<Origin> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = makeServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server.on('connection', (socket: Socket) => sockets.add(socket));
  const port = await listen(server);
  return {
    port,
    server,
    sockets,
    requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
