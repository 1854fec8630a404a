/**
 * The attack: a request that is refused with `Connection: close` (its framing is not certain), and behind it, in the same
 * packet, another one. What a front proxy takes for the refused body the gate takes for a request: it carries an
 * X-Forwarded-For of the attacker's choice and reaches the upstream, although the answer is never read. RFC 9112 §9.6:
 * after `close` was sent nothing that came on the connection may be processed.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-client.ts';
import { PASSWORD, USER, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HEAD = `Host: localhost\r\nAuthorization: Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}\r\n`;
const BEHIND = `POST /behind HTTP/1.1\r\n${HEAD}X-Forwarded-For: 10.6.6.6\r\nContent-Length: 0\r\n\r\n`;

describe('a request behind one that was refused with Connection: close', () => {
  let upstream: Server;
  let scene: Scene;
  const seen: string[] = [];

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      seen.push(`${request.url ?? ''} for ${String(request.headers['x-forwarded-for'])}`);
      response.end();
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    scene = await startScene({
      yaml: `trusted_proxies: [127.0.0.1]\nupstreams: [{url: "http://127.0.0.1:${port}", kind: any}]`,
    });
    // The password is remembered from here on: what follows is forwarded in the same turn.
    expect((await scene.ask('/warm')).status).toBe(200);
  });
  afterAll(async () => {
    await scene.stop();
    upstream.close();
  });
  beforeEach(() => {
    seen.length = 0;
  });

  it.each([
    ['an empty Transfer-Encoding', `POST /a HTTP/1.1\r\n${HEAD}Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc`],
    [
      'HTTP/1.0 with a coding',
      `POST /a HTTP/1.0\r\n${HEAD}Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n`,
    ],
    ['a body on GET', `GET /a HTTP/1.1\r\n${HEAD}Content-Length: 3\r\n\r\nabc`],
    ['a body without credentials', 'POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc'],
  ])('does not reach the upstream: %s', async (_name, refused) => {
    const { statuses, text } = await sendRaw(scene.gate.port, refused + BEHIND);
    expect(statuses[0]).toBeGreaterThanOrEqual(400);
    expect(text.toLowerCase()).toContain('connection: close');
    // One more round trip through the gate: whatever was forwarded has arrived by then.
    await scene.ask('/last');
    expect(seen.filter((line) => line.startsWith('/behind'))).toEqual([]);
  });
});
