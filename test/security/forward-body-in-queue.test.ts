/**
 * The attack: kill the process. While a request waits for an upstream connection, what fits of its body is read, and
 * nobody listens to the body's 'error' yet. An identity that may POST one path fills the pool with its own requests and
 * then either leaves in the middle of a body that is second in a pipeline (its answer's 'close' comes later than the
 * request's error), or sends more than `request_body_limit` in chunks. Node ends the process: nobody is served any more.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PASSWORD, USER, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HEAD = `Host: localhost\r\nAuthorization: Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}\r\n`;
const FORM = 'Content-Type: application/x-www-form-urlencoded\r\n';
const GET = `GET /api/v1/query HTTP/1.1\r\n${HEAD}\r\n`;
const POST = `POST /api/v1/query HTTP/1.1\r\n${HEAD}${FORM}`;

describe('a body that goes wrong while its request waits for the upstream', () => {
  let upstream: Server;
  let scene: Scene;
  let asked = 0;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    asked = 0;
    upstream = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      // It takes the request and says nothing.
      socket.on('data', () => {
        asked += 1;
      });
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    scene = await startScene({
      yaml: `upstreams: [{url: "http://127.0.0.1:${port}", max_connections: 1, request_body_limit: 1KB}]`,
    });
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await scene.stop();
    upstream.close();
  });

  const open = async (): Promise<Socket> => {
    const options = {
      host: '127.0.0.1',
      port: scene.gate.port,
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: false,
    };
    const socket = connect(options);
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'secureConnect');
    sockets.add(socket);
    return socket;
  };
  /** One request takes the only connection; from then on everything else waits. */
  const fillThePool = async (): Promise<void> => {
    const before = asked;
    (await open()).write(GET);
    await expect.poll(() => asked, { timeout: 5_000 }).toBeGreaterThan(before);
  };
  const inFlight = async (): Promise<number> =>
    Number(/^promgate_requests_in_flight (\d+)$/m.exec(await scene.gate.metrics())?.[1]);

  it('does not end the process when its client leaves in the middle of a pipeline', async () => {
    await fillThePool();
    const client = await open();
    client.write(`${GET}${POST}Content-Length: 1000\r\n\r\nquery=`);
    await expect.poll(inFlight, { timeout: 5_000 }).toBe(3);
    client.destroy();
    await expect.poll(inFlight, { timeout: 5_000 }).toBe(1);
    expect(scene.gate.process.exit()).toBeNull();
  });

  it('does not end the process when it is too large', async () => {
    await fillThePool();
    const client = await open();
    const answer = Promise.race([once(client, 'data'), once(client, 'close').then(() => [''])]);
    client.write(`${POST}Transfer-Encoding: chunked\r\n\r\n1388\r\n${'x'.repeat(5000)}\r\n`);
    const [text] = (await answer.catch(() => [''])) as [Buffer | string];
    expect(String(text)).toContain('HTTP/1.1 413');
    expect(scene.gate.process.exit()).toBeNull();
  }, 15_000);
});
