/**
 * The attack: ask for 300 MB and read slowly. A proxy without backpressure keeps it all in memory, once per client. And
 * in the other direction: send faster than the upstream reads.
 */
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { upstreamAt } from '../support/config-fixture.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import type { TestGate } from '../request/forward/gate-fixture.ts';
import { startOriginProcess } from '../request/forward/origin-process.ts';
import { poll } from '../support/poll.ts';

const MEGABYTE = 1_000_000;
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const readers: [string, (gate: TestGate) => { stream: Readable; leave: () => void }][] = [
  [
    'HTTP/1.1',
    (gate) => {
      const socket = connect(gate.port, '127.0.0.1');
      socket.write('GET /300 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      return { stream: socket, leave: () => socket.destroy() };
    },
  ],
  [
    'HTTP/2',
    (gate) => {
      const client = connectHttp2(gate.http2Url);
      const stream = client.request({ ':path': '/300' });
      return { stream, leave: () => client.destroy() };
    },
  ],
];

it.each(readers)('an answer of 300 MB to a slow reader over %s costs less than 32 MB', async (_name, read) => {
  const origin = await startOriginProcess();
  const gate = await startGate({ upstream: upstreamAt(origin.port) });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );

  let received = 0;
  const { stream, leave } = read(gate);
  closing.push(() => Promise.resolve(leave()));
  stream.on('data', (chunk: Buffer) => (received += chunk.length));
  await poll('the first bytes', () => received > 0);
  stream.pause();
  const before = process.memoryUsage.rss();
  let sent = 0;
  // The upstream has stopped sending when everything between the two of them is full.
  await poll(
    'the upstream to wait',
    async () => {
      const now = await origin.sent();
      const stands = now === sent;
      sent = now;
      return stands;
    },
    { everyMs: 200 },
  );
  expect(sent).toBeLessThan(32 * MEGABYTE);
  expect(process.memoryUsage.rss() - before).toBeLessThan(32 * MEGABYTE);

  // And then it goes on, to the last byte.
  stream.resume();
  await poll('the whole', () => received >= 300 * MEGABYTE, { deadlineMs: 15_000 });
});

it('a request body of 300 MB to an upstream that does not read costs less than 32 MB', async () => {
  const origin = await startOrigin(() => undefined);
  const gate = await startGate({ upstream: upstreamAt(origin.port, { requestBodyLimit: 400 * MEGABYTE }) });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  const socket = connect(gate.port, '127.0.0.1');
  closing.push(() => Promise.resolve(void socket.destroy()));
  socket.write('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000000\r\n\r\n');
  const block = Buffer.alloc(MEGABYTE);
  let taken = 0;
  const pump = (): void => {
    socket.write(block, (error) => {
      if (error !== null && error !== undefined) return;
      taken += block.length;
      pump();
    });
  };
  socket.on('error', () => undefined);
  pump();
  await poll('the request upstream', () => origin.requests.length === 1);
  let before = -1;
  await poll(
    'the client to wait',
    () => {
      const stands = taken === before;
      before = taken;
      return stands;
    },
    { everyMs: 300 },
  );
  expect(taken).toBeLessThan(32 * MEGABYTE);
});
