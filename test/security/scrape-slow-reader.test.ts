/**
 * The attack: share an answer and read it slowly, so that the gate keeps it, or so that the others wait; over and over,
 * each time beside a fast reader who leaves, so that much is kept for nobody but the slow one.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createScrapes } from '../../src/request/forward/scrape/scrapes.ts';
import { upstreamAt } from '../support/config-fixture.ts';
import { poll } from '../support/poll.ts';
import { startGate } from '../request/forward/gate-fixture.ts';
import { startOriginProcess } from '../request/forward/origin-process.ts';
import { PROTOCOLS, read } from '../request/forward/scrape/reader.ts';
import { setStage } from '../request/forward/scrape/stage.ts';

const MEGABYTE = 1_000_000;
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const SHARED = { compression: 'upstream', compressionLevel: 1, share: 'identity', maxAgeMs: 0 } as const;

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('an answer of 300 MB to a slow and a fast reader keeps 32 MiB at most, and the fast one gets it whole', async () => {
    const origin = await startOriginProcess();
    const scrapes = createScrapes({ clock: systemClock });
    const gate = await startGate({ upstream: upstreamAt(origin.port, { scrape: SHARED }), scrapes });
    closing.push(
      () => origin.close(),
      () => gate.close(),
    );
    const slow = read(gate, '/federate', { protocol, paused: true });
    const fast = read(gate, '/federate', { protocol, discard: true });
    const before = process.memoryUsage.rss();
    let most = 0;
    let mostKept = 0;
    await poll(
      'the end',
      () => {
        most = Math.max(most, process.memoryUsage.rss() - before);
        mostKept = Math.max(mostKept, scrapes.usedBytes);
        return fast.end !== 'open';
      },
      { deadlineMs: 20_000, everyMs: 5 },
    );
    expect(fast.end).toBe('whole');
    expect(fast.bytes).toBe(300 * MEGABYTE);
    expect(mostKept).toBeGreaterThan(MEGABYTE);
    expect(mostKept).toBeLessThan(34 * MEGABYTE);
    // Garbage takes its time, and the clients' is in the same process.
    expect(most).toBeLessThan(250 * MEGABYTE);
    slow.resume();
    expect(await slow.ended()).toBe('cut');
    expect(gate.metrics.refusals).toEqual(['scrape_too_slow']);
  });
});

it('what is kept for slow readers of many answers stays within the bound of all', async () => {
  const scrapes = createScrapes({ clock: systemClock, shareBytes: 20 * MEGABYTE, totalBytes: 30 * MEGABYTE });
  const { gate, asked } = await setStage({ closing, scrapes });
  const slow = [];
  let most = 0;
  for (let index = 0; index < 6; index++) {
    const path = `/federate?match[]=m${String(index)}`;
    slow.push(read(gate, path, { paused: true }));
    const fast = read(gate, path);
    const { response } = await poll('the upstream to be asked', () => asked[index]);
    await poll('both', () => gate.metrics.flying >= slow.length + 1 - gate.metrics.refusals.length);
    response.write(Buffer.alloc(25 * MEGABYTE));
    await poll('the fast one to have it', () => {
      most = Math.max(most, scrapes.usedBytes);
      return fast.bytes === 25 * MEGABYTE;
    });
    fast.leave();
  }
  expect(most).toBeLessThanOrEqual(31 * MEGABYTE);
  expect(scrapes.usedBytes).toBeLessThanOrEqual(30 * MEGABYTE);
  expect(gate.metrics.refusals).toContain('scrape_too_slow');
});

it('an upstream that sends single bytes does not get around the bound', async () => {
  const scrapes = createScrapes({ clock: systemClock, shareBytes: 100_000 });
  const { gate, asked } = await setStage({ closing, scrapes });
  const reader = read(gate, '/metrics');
  const { response } = await poll('the upstream to be asked', () => asked[0]);
  let sent = 0;
  const more = (): void => {
    if (sent === 3000) {
      response.end();
      return;
    }
    sent += 1;
    // Each in a packet of its own.
    response.write('x', () => setImmediate(more));
  };
  response.socket?.setNoDelay(true);
  more();
  expect(await reader.ended()).toBe('whole');
  expect(reader.bytes).toBe(3000);
  expect(scrapes.usedBytes).toBe(0);
});
