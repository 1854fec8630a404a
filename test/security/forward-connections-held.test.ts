/**
 * The attack: one identity takes every connection to the upstream and does not read what comes (an HTTP/2 window of 0), or
 * opens streams of events that never end, or asks for ever new federations. Each answer holds a connection for as long as
 * the client likes to keep it, so that every other identity's scrape is 503.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/poll.ts';
import { PASSWORD, USER, htpasswdLine, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Of few, so that the attack is small. */
const CONNECTIONS = 8;
/** More than the buffers of two sockets on loopback hold, so that it is under way until it is read. */
const LARGE = Buffer.alloc(32_000_000, 'x');

let upstream: Server;
let scene: Scene;
/** Answers that the upstream has under way for the attacker. */
let underWay = 0;

beforeAll(async () => {
  upstream = createServer((request, response) => {
    if (request.headers['x-promgate-user'] === USER) {
      response.end('up 1\n');
      return;
    }
    underWay += 1;
    response.on('close', () => (underWay -= 1));
    if (request.url === '/api/v1/notifications/live') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
    } else {
      response.end(LARGE);
    }
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  scene = await startScene({
    files: { '.htpasswd': (await htpasswdLine(USER, PASSWORD)) + (await htpasswdLine('low', 'low')) },
    yaml: `
identities:
  - {name: ${USER}, password_users: [${USER}]}
  - {name: low, password_users: [low]}
upstreams:
  - {url: "http://127.0.0.1:${port}", max_connections: ${CONNECTIONS}, queue_timeout: 3s}
  - {url: "http://127.0.0.1:${port}", max_connections: 1, queue_timeout: 10s, path_prefix: /one, strip_prefix: true}`,
  });
});
afterAll(async () => {
  await scene.stop();
  upstream.closeAllConnections();
  upstream.close();
});

/** Asks a number of questions and reads none of the answers. */
function askWithoutReading(paths: readonly string[]): ClientHttp2Session {
  const session = connect(scene.gate.url, {
    ca: scene.authority.cert,
    settings: { initialWindowSize: 0 },
  });
  session.on('error', () => undefined);
  for (const path of paths) {
    const stream = session.request({ ':path': path, authorization: basic('low', 'low') });
    stream.on('error', () => undefined);
  }
  return session;
}

const many = (path: (number: number) => string): string[] => Array.from({ length: 40 }, (_none, index) => path(index));

describe.each([
  ['large answers', many((number) => `/api/v1/query?query=up${String(number)}`)],
  ['streams of events', many(() => '/api/v1/notifications/live')],
  ['ever new federations', many((number) => `/federate?match[]=up${String(number)}`)],
])('an identity that does not read %s', (_what, paths) => {
  it('leaves connections for the scrapes of another', { timeout: 30_000 }, async () => {
    const sessions = [askWithoutReading(paths), askWithoutReading(paths)];
    try {
      await poll('the attack under way', () => underWay >= CONNECTIONS / 2);
      for (let round = 0; round < 3; round += 1) {
        expect((await scene.ask('/federate?match[]=up')).status).toBe(200);
        expect((await scene.ask('/api/v1/query?query=up')).status).toBe(200);
      }
      expect(underWay).toBeLessThan(CONNECTIONS);
    } finally {
      for (const session of sessions) session.destroy();
      await poll('the end of the attack', () => underWay === 0);
    }
  });
});

describe('an upstream with a single connection', () => {
  it('is there for another when the one who holds it does not read', { timeout: 30_000 }, async () => {
    const session = askWithoutReading(many((number) => `/one/api/v1/query?query=up${String(number)}`).slice(0, 4));
    try {
      await poll('the attack under way', () => underWay > 0);
      expect((await scene.ask('/one/federate?match[]=up')).status).toBe(200);
    } finally {
      session.destroy();
    }
  });
});
