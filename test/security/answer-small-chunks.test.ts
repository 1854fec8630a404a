/**
 * The attack: read a large answer that comes in small chunks. A proxy that stops its upstream in the middle of what it has
 * read, once for each chunk, reads on behind it each time, and in the end has the whole answer in memory, copied over and
 * over: however fast or slow the client is.
 */
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { upstreamAt } from '../support/config-fixture.ts';
import { poll } from '../support/poll.ts';
import { startGate } from '../request/forward/gate-fixture.ts';
import { startOriginProcess } from '../request/forward/origin-process.ts';

const MEGABYTE = 1_000_000;
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it.each([
  ['through http-proxy', '/small'],
  ['on the scrape path', '/metrics'],
])('what the client has not read stays upstream, %s', async (_how, kindPath) => {
  const authority = createAuthority('small-chunks');
  const tls = authority.issue({ name: 'localhost', sans: ['IP:127.0.0.1'], purpose: 'server' });
  const origin = await startOriginProcess();
  const gate = await startGate({
    upstream: upstreamAt(origin.port),
    tls,
    before: (passage) => {
      // The upstream knows one path; by this one the gate chooses its way.
      passage.kindPath = kindPath;
      return true;
    },
  });
  closing.push(
    () => Promise.resolve(authority.remove()),
    () => origin.close(),
    () => gate.close(),
  );
  let received = 0;
  const asked = request(`${gate.url}/small`, { agent: false, ca: authority.cert }, (answer: IncomingMessage) => {
    answer.on('data', (chunk: Buffer) => (received += chunk.length)).on('error', () => undefined);
  });
  closing.push(() => Promise.resolve(void asked.destroy()));
  asked.on('error', () => undefined).end();
  await poll('some of it to be read', () => received > 24 * MEGABYTE, { deadlineMs: 15_000 });
  // What is in the kernel's buffers between the two is not the gate's.
  expect((await origin.sent()) - received).toBeLessThan(32 * MEGABYTE);
});
