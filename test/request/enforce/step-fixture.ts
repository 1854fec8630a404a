/**
 * The step behind a real socket: a passage made by hand in the place of the steps before it, and in the place of forward
 * a handler that remembers what would be asked.
 */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import Fastify from 'fastify';
import fp from 'fastify-plugin';
import type { IdentityRule, Upstream } from '../../../src/config/config.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { noMetrics } from '../../../src/observe/ports.ts';
import { BodyMemory } from '../../../src/request/body-memory.ts';
import { enforcePlugin } from '../../../src/request/enforce/plugin.ts';
import type { Passage } from '../../../src/request/passage.ts';
import type { WrittenQuestion } from '../../../src/request/question.ts';
import { createAnswer } from '../../../src/request/respond/answer.ts';
import { respondPlugin } from '../../../src/request/respond/plugin.ts';
import { recordingLog } from '../../observe/recording-log.ts';
import { configOf, upstreamOf } from '../../support/config-fixture.ts';

export interface StepGate {
  readonly url: string;
  readonly port: number;
  /** What came through, oldest first; null: as it was. */
  readonly asked: (WrittenQuestion | null)[];
  readonly log: ReturnType<typeof recordingLog>;
  close(): Promise<void>;
}

export interface StepOptions {
  readonly rule: IdentityRule | null;
  readonly upstream?: Partial<Upstream>;
  readonly clock?: Clock;
}

export async function startStep({ rule, upstream = {}, clock = systemClock }: StepOptions): Promise<StepGate> {
  const log = recordingLog();
  const asked: (WrittenQuestion | null)[] = [];
  const config = configOf({ identities: rule === null ? [] : [rule] });
  const sockets = new Set<Socket>();
  let count = 0;
  let handle: (request: never, response: never) => void = () => undefined;
  const app = Fastify({
    logger: false,
    serverFactory: (routing) => {
      handle = routing;
      return createServer();
    },
  });
  await app.register(respondPlugin, {});
  await app.register(
    fp(
      (scope, _options, done) => {
        scope.decorateRequest('passage', null as unknown as Passage);
        scope.addHook('onRequest', (request, reply, next) => {
          const { raw } = request;
          const mark = (raw.url ?? '').indexOf('?');
          const path = mark === -1 ? (raw.url ?? '') : (raw.url ?? '').slice(0, mark);
          const passage = {
            id: `r${String((count += 1))}`,
            config,
            connection: { facts: { id: 1, peer: '127.0.0.1', tls: null }, leaving: false, drain: () => undefined },
            target: { method: raw.method, path, query: mark === -1 ? '' : (raw.url ?? '').slice(mark + 1) },
            startedAt: clock.monotonic(),
            expectsContinue: raw.headers.expect === '100-continue',
            address: '127.0.0.1',
            identity: {
              name: 'master',
              label: 'master',
              user: 'prom',
              certificate: null,
              claim: rule === null ? { kind: 'open' } : { kind: 'rule', rule },
            },
            upstream: upstreamOf(upstream),
            kindPath: path,
            endpointClass: 'query',
            releases: [],
          } as unknown as Passage;
          const answer = createAnswer({ request: raw, response: reply.raw, passage, log, metrics: noMetrics, clock });
          Object.assign(passage, { answer });
          request.passage = passage;
          next();
        });
        done();
      },
      { name: 'authorize' },
    ),
  );
  await app.register(enforcePlugin, { config, clock, bodies: new BodyMemory() });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
  app.all('/*', (request, reply) => {
    reply.hijack();
    asked.push(request.passage.question ?? null);
    request.passage.answer.open(200, { 'content-length': '2' });
    request.passage.answer.write(Buffer.from('ok'));
    request.passage.answer.end();
  });
  await app.ready();
  const server = createServer(handle as never);
  server.on('checkContinue', handle as never).on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    port,
    asked,
    log,
    async close() {
      await app.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
