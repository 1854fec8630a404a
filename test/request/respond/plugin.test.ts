/** What Fastify would answer by itself. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { RefusalDetails } from '../../../src/request/answer.ts';
import type { Passage } from '../../../src/request/passage.ts';
import { respondPlugin } from '../../../src/request/respond/plugin.ts';
import { curl } from '../../support/curl.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function appWith(withPassage: boolean) {
  const refusals: [string, RefusalDetails | undefined][] = [];
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const app = Fastify({
    logger: false,
    serverFactory: (routing) => {
      handle = routing;
      return createServer();
    },
  });
  app.decorateRequest('passage', null as unknown as Passage);
  await app.register(respondPlugin, {});
  app.addHook('onRequest', (request, reply, next) => {
    const answer = {
      refuse: (reason: string, details?: RefusalDetails) => {
        refusals.push([reason, details]);
        reply.raw.writeHead(418).end('ours');
      },
    };
    if (withPassage) request.passage = { answer } as unknown as Passage;
    else (request as { passage?: unknown }).passage = undefined;
    next();
  });
  app.get('/throws', () => {
    throw new Error('the secret of the gate');
  });
  app.post('/body', { bodyLimit: 1 }, () => 'never');
  await app.ready();
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await app.close();
  });
  return { refusals, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` };
}

describe('an error inside Fastify', () => {
  it('is refused as internal_error, with the stack for the log alone', async () => {
    const { refusals, url } = await appWith(true);
    const got = await curl(`${url}/throws`);
    expect(got.body).toBe('ours');
    expect(refusals[0]?.[0]).toBe('internal_error');
    expect(refusals[0]?.[1]?.detail).toMatch(/the secret of the gate +at /);
  });

  it.each([
    ['/nowhere', [], 'path_unknown'],
    ['/body', ['-H', 'Content-Type: application/json', '-d', '{"a":1}'], 'body_too_large'],
    ['/body', ['-H', 'Content-Type: nonsense/x', '-d', 'x'], 'media_type'],
  ])('%s %j is refused as %s', async (path, argv, reason) => {
    const { refusals, url } = await appWith(true);
    expect((await curl(...argv, `${url}${path}`)).body).toBe('ours');
    expect(refusals[0]?.[0]).toBe(reason);
  });

  it('before there is a passage ends the connection without a word', async () => {
    const { url } = await appWith(false);
    expect((await curl(`${url}/throws`)).exit).toBe(52);
  });
});
