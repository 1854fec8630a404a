/**
 * The attack: an identity that may do one thing only (/api/v1/query) opens as many POSTs as the upstream has connections
 * and sends their bodies a byte a minute. Each holds a connection from its first byte on; the central Prometheus, another
 * identity from another address, gets 503 for every scrape, for five minutes a round and without any bandwidth.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, USER, htpasswdLine, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('an identity that holds on to upstream connections', () => {
  let upstream: Server;
  let scene: Scene;

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      request.resume().on('end', () => response.end('done'));
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    scene = await startScene({
      files: { '.htpasswd': (await htpasswdLine(USER, PASSWORD)) + (await htpasswdLine('low', 'low')) },
      yaml: `
identities:
  - {name: ${USER}, paths: ["@scrape"]}
  - {name: low, paths: [/api/v1/query]}
upstreams: [{url: "http://127.0.0.1:${port}", max_connections: 4, queue_timeout: 1s}]`,
    });
    expect((await scene.ask('/federate')).status).toBe(200);
  });
  afterAll(async () => {
    await scene.stop();
    upstream.closeAllConnections();
    upstream.close();
  });

  it('does not keep another identity from its scrape', async () => {
    const session = connect(scene.gate.url, { ca: scene.authority.cert });
    session.on('error', () => undefined);
    try {
      for (let count = 0; count < 8; count += 1) {
        const stream = session.request(
          {
            ':method': 'POST',
            ':path': '/api/v1/query',
            authorization: basic('low', 'low'),
            'content-type': 'application/x-www-form-urlencoded',
          },
          { endStream: false },
        );
        stream.on('error', () => undefined);
        stream.resume();
        stream.write('query=');
      }
      await new Promise((resolve) => session.ping(resolve));
      await scene.askAsStranger('/federate');
      expect((await scene.ask('/federate')).status).toBe(200);
    } finally {
      session.destroy();
    }
  });
});
