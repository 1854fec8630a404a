import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { probePrometheus } from '../../src/cli/prometheus-probe.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { freePort } from '../support/free-port.ts';
import { poll } from '../support/poll.ts';
import { startPrometheus } from '../support/prometheus.ts';

let server: Server | null = null;

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  server = null;
});

async function answering(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((started.address() as AddressInfo).port)}`;
}

it('finds a real Prometheus', async () => {
  const prometheus = await startPrometheus({});
  try {
    expect(await probePrometheus(systemClock, prometheus.url)).toBe(true);
  } finally {
    await prometheus.stop();
  }
});

it('finds one that still replays its log', async () => {
  const origin = await answering((_, response) => {
    response.writeHead(503, { 'X-Prometheus-Stopping': 'false' }).end('Service Unavailable');
  });
  expect(await probePrometheus(systemClock, origin)).toBe(true);
});

it.each<[string, RequestListener]>([
  ['a 404', (_, response) => response.writeHead(404).end()],
  ['another 503', (_, response) => response.writeHead(503).end()],
  ['a page', (_, response) => response.end('<html>')],
  ['other JSON', (_, response) => response.end('{"status":"success","data":{}}')],
  ['null', (_, response) => response.end('null')],
  ['a redirect', (_, response) => response.writeHead(302, { location: '/x' }).end()],
  ['an endless answer', (_, response) => response.write(' '.repeat(200_000))],
  ['a broken answer', (_, response) => response.writeHead(200, { 'content-length': '5' }).destroy()],
])('%s is none', async (_, listener) => {
  // A clock that stands still: the answer alone decides, not the deadline.
  expect(await probePrometheus(createFakeClock(), await answering(listener))).toBe(false);
});

it('nobody there is none', async () => {
  expect(await probePrometheus(systemClock, `http://127.0.0.1:${String(await freePort())}`)).toBe(false);
});

it('waits one second for one that hangs', async () => {
  let asked = false;
  const origin = await answering(() => {
    asked = true;
  });
  const clock = createFakeClock();
  const found = probePrometheus(clock, origin);
  await poll('the question', () => asked);
  clock.advance(1000);
  expect(await found).toBe(false);
});
