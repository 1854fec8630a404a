/**
 * The danger: an upstream whose answer ends with its connection (HTTP/1.0, no length) dies in the middle of it, and the
 * reset is taken for the end. Half a federation looks whole, is given to everyone who shares it, and is kept for `max_age`.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { upstreamAt } from '../support/config-fixture.ts';
import { startGate } from '../request/forward/gate-fixture.ts';
import { read } from '../request/forward/scrape/reader.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function stage() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      sockets.push(socket);
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nup 1\n');
    });
  }).listen(0, '127.0.0.1');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await poll('the upstream', () => server.listening);
  const { port } = server.address() as AddressInfo;
  const scrape = { compression: 'upstream', compressionLevel: 1, share: 'identity', maxAgeMs: 60_000 } as const;
  const gate = await startGate({ upstream: upstreamAt(port, { scrape }) });
  closing.push(() => gate.close());
  return { gate, sockets };
}

it.each(['/federate', '/api/v1/query'])('a reset within the answer to %s is no end', async (path) => {
  const { gate, sockets } = await stage();
  const first = read(gate, path);
  await poll('the beginning', () => first.bytes === 5);
  sockets[0]?.resetAndDestroy();
  expect(await first.ended()).toBe('cut');
  expect(gate.metrics.refusals).toEqual(['upstream_failed']);
  // Nothing of it was kept: the upstream is asked again.
  const second = read(gate, path);
  await poll('the second question', () => sockets.length === 2);
  sockets[1]?.end('up 2\n');
  expect(await second.ended()).toBe('whole');
  expect(second.body().toString()).toBe('up 1\nup 2\n');
});
