/**
 * The danger: an upstream sends interim answers (1xx) without end. Each began the wait for the headers again, so that a
 * request and its connection were held for good, whatever `response_timeout` said; others ended in an assertion.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { startGate } from '../request/forward/gate-fixture.ts';
import { read } from '../request/forward/scrape/reader.ts';
import { upstreamAt } from '../support/config-fixture.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An upstream that answers whatever a test sends through the sockets. */
async function stage(onRequest: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    socket.once('data', () => {
      onRequest(socket);
    });
  }).listen(0, '127.0.0.1');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await poll('the upstream', () => server.listening);
  const clock = createFakeClock();
  const gate = await startGate({
    clock,
    // undici's own deadline is on the real clock, and far away.
    upstream: upstreamAt((server.address() as AddressInfo).port, { responseTimeoutMs: 60_000 }),
  });
  closing.push(() => gate.close());
  return { gate, clock, sockets };
}

it.each(['/federate', '/api/v1/query'])('%s is 504 at the deadline, however many came', async (path) => {
  let answering: Socket | null = null;
  const { gate, clock, sockets } = await stage((socket) => {
    answering = socket;
  });
  const reader = read(gate, path);
  await poll('the question', () => answering !== null);
  for (let second = 0; second < 60; second += 1) {
    sockets.forEach((socket) => socket.write('HTTP/1.1 102 Processing\r\n\r\n'));
    await new Promise(setImmediate);
    clock.advance(1000);
  }
  expect(reader.status).toBeNull();
  clock.advance(1000);
  expect(await reader.opened()).toBe(504);
  await poll('the end of the connection', () => sockets.size === 0);
});

it('the headers behind them are answered', async () => {
  const { gate } = await stage((socket) => {
    socket.write('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n');
  });
  const reader = read(gate, '/metrics');
  expect(await reader.ended()).toBe('whole');
  expect(reader.status).toBe(200);
  expect(reader.headers).not.toHaveProperty('link');
});

it.each([
  '101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade',
  '101 Switching Protocols',
  '099 Odd',
  '000 No',
])('HTTP/1.1 %s is 502', async (status) => {
  const { gate } = await stage((socket) => socket.write(`HTTP/1.1 ${status}\r\n\r\n`));
  expect(await read(gate, '/metrics').opened()).toBe(502);
});
