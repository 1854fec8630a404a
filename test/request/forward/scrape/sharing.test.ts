/** Each sentence about sharing an answer, with real clients and a real upstream. */
import { afterEach, describe, expect, it } from 'vitest';
import { createScrapes } from '../../../../src/request/forward/scrape/scrapes.ts';
import type { Passage } from '../../../../src/request/passage.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { poll } from '../../../support/poll.ts';
import { startGate } from '../gate-fixture.ts';
import { PROTOCOLS, read } from './reader.ts';
import { setStage } from './stage.ts';
import type { Stage, StageOptions } from './stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const stage = (options: Omit<StageOptions, 'closing'> = {}): Promise<Stage> => setStage({ ...options, closing });

const first = async ({ asked }: Stage): Promise<Stage['asked'][number]> =>
  poll('the upstream to be asked', () => asked[0]);

const MEGABYTE = 1_000_000;
const block = (size: number): Buffer => Buffer.alloc(size, 'x');

/** Long enough for a request that is on its way to have come. */
async function arrivals(on: Stage, count: number): Promise<void> {
  await poll(`${String(count)} requests at the gate`, () => on.gate.metrics.flying >= count);
}

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('identical scrapes in flight share one upstream request', async () => {
    const passages: Passage[] = [];
    const on = await stage({ before: (passage) => passages.push(passage) > 0 });
    const readers = [1, 2, 3].map(() => read(on.gate, '/federate?match[]=up', { protocol }));
    await arrivals(on, 3);
    const { response } = await first(on);
    response.writeHead(200, { 'content-type': 'text/plain', 'set-cookie': 'a=b' }).end('up 1\n');
    for (const reader of readers) {
      expect(await reader.ended()).toBe('whole');
      expect(reader.body().toString()).toBe('up 1\n');
      expect(reader.headers['set-cookie']).toBeUndefined();
    }
    expect(on.asked).toHaveLength(1);
    await poll('the accounts', () => on.gate.metrics.records.length === 3);
    expect(passages.map(({ scrape }) => scrape?.sharing)).toEqual(['leader', 'joined', 'joined']);
    expect(passages.map(({ scrape }) => scrape?.bytes)).toEqual([5, 5, 5]);
    for (const { scrape } of passages) expect(scrape?.firstByteMs).toBeGreaterThan(0);
  });

  it('one who comes while the whole beginning is there gets all of it', async () => {
    const on = await stage();
    const early = read(on.gate, '/metrics', { protocol });
    const { response } = await first(on);
    response.write('first\n');
    await poll('the first bytes', () => early.bytes > 0);
    const late = read(on.gate, '/metrics', { protocol });
    await poll('the first bytes for the second', () => late.bytes > 0);
    response.end('last\n');
    expect([await early.ended(), await late.ended()]).toEqual(['whole', 'whole']);
    expect(late.body().toString()).toBe('first\nlast\n');
    expect(on.asked).toHaveLength(1);
  });

  it('a leader who leaves harms nobody', async () => {
    const on = await stage();
    const leader = read(on.gate, '/metrics', { protocol });
    const { response } = await first(on);
    response.write('first\n');
    await poll('the first bytes', () => leader.bytes > 0);
    const other = read(on.gate, '/metrics', { protocol });
    await poll('the first bytes for the second', () => other.bytes > 0);
    leader.leave();
    await poll('the leader to be gone', () => on.gate.metrics.flying === 1);
    response.end('last\n');
    expect(await other.ended()).toBe('whole');
    expect(other.body().toString()).toBe('first\nlast\n');
  });

  it('the upstream request ends with the last participant', async () => {
    const on = await stage();
    const readers = [1, 2].map(() => read(on.gate, '/metrics', { protocol }));
    await arrivals(on, 2);
    const { response } = await first(on);
    response.write('first\n');
    await poll('the first bytes', () => readers.every(({ bytes }) => bytes > 0));
    readers[0]?.leave();
    await poll('the first to be gone', () => on.gate.metrics.flying === 1);
    expect(response.closed).toBe(false);
    readers[1]?.leave();
    await poll('the upstream request to be cancelled', () => response.closed);
  });

  it.each([
    ['before the first byte', false],
    ['within the body', true],
  ])('an upstream that dies %s fails everybody, and nobody has a whole answer', async (_when, within) => {
    const on = await stage();
    const readers = [1, 2, 3].map(() => read(on.gate, '/metrics', { protocol }));
    await arrivals(on, 3);
    const { response } = await first(on);
    if (within) {
      response.write('first\n');
      await poll('the first bytes', () => readers.every(({ bytes }) => bytes > 0));
    }
    response.destroy();
    for (const reader of readers) {
      if (within) expect(await reader.ended()).toBe('cut');
      else expect(await reader.opened()).toBe(502);
    }
    expect(on.gate.metrics.refusals).toEqual(Array(3).fill('upstream_failed'));
  });

  it('a slow reader does not hold back a fast one', async () => {
    const on = await stage({
      answer: (_request, response) => {
        response.writeHead(200, { 'content-length': 20 * MEGABYTE }).end(block(20 * MEGABYTE));
      },
    });
    const slow = read(on.gate, '/federate', { protocol, paused: true });
    await slow.opened();
    const fast = read(on.gate, '/federate', { protocol });
    expect(await fast.ended()).toBe('whole');
    expect(fast.bytes).toBe(20 * MEGABYTE);
    expect(slow.end).toBe('open');
    slow.resume();
    expect(await slow.ended()).toBe('whole');
    expect(slow.bytes).toBe(20 * MEGABYTE);
    expect(on.origin.requests).toHaveLength(1);
  });

  it('a reader for whom more than the cap would be kept is cut, unless they are alone', async () => {
    const scrapes = createScrapes({ clock: systemClock, shareBytes: 4 * MEGABYTE });
    const on = await stage({ scrapes });
    const slow = read(on.gate, '/federate', { protocol, paused: true });
    const fast = read(on.gate, '/federate', { protocol });
    await arrivals(on, 2);
    (await first(on)).response.end(block(40 * MEGABYTE));
    expect(await fast.ended()).toBe('whole');
    slow.resume();
    expect(await slow.ended()).toBe('cut');
    expect(on.gate.metrics.refusals).toEqual(['scrape_too_slow']);
    expect(on.gate.log.lines.some(({ fields }) => fields['reason'] === 'scrape_too_slow')).toBe(true);
    expect(scrapes.usedBytes).toBe(0);

    const alone = read(on.gate, '/federate', { protocol, paused: true });
    const { response } = await poll('the upstream to be asked', () => on.asked[1]);
    response.end(block(40 * MEGABYTE));
    await alone.opened();
    alone.resume();
    expect(await alone.ended()).toBe('whole');
    expect(scrapes.usedBytes).toBe(0);
  });

  it('beyond the cap newcomers ask anew, with at most two upstream requests for one scrape', async () => {
    const on = await stage({ scrapes: createScrapes({ clock: systemClock, shareBytes: MEGABYTE }) });
    const readers = [];
    for (const index of [0, 1]) {
      const reader = read(on.gate, '/federate', { protocol });
      readers.push(reader);
      const { response } = await poll('the upstream to be asked', () => on.asked[index]);
      response.write(block(2 * MEGABYTE));
      await poll('more than the cap', () => reader.bytes === 2 * MEGABYTE);
    }
    const third = read(on.gate, '/federate', { protocol });
    expect(await third.opened()).toBe(503);
    expect(third.headers['retry-after']).toBe('1');
    expect(on.gate.metrics.refusals).toEqual(['scrape_busy']);
    expect(on.asked).toHaveLength(2);
    for (const { response } of on.asked) response.end('end');
    for (const reader of readers) expect(await reader.ended()).toBe('whole');
    // And with room again, a new one.
    read(on.gate, '/federate', { protocol });
    await poll('a third upstream request', () => on.asked.length === 3);
  });
});

describe('a request of its own', () => {
  const alone: [string, Record<string, string>][] = [
    ['with a range', { range: 'bytes=0-1' }],
    ['with a condition', { 'if-none-match': '"1"' }],
    ['with another Accept', { accept: 'application/openmetrics-text' }],
    ['with another Accept-Encoding', { 'accept-encoding': 'gzip' }],
    ['with another time-out', { 'x-prometheus-scrape-timeout-seconds': '7' }],
    ['of another identity', { 'x-who': 'somebody else' }],
  ];

  it.each(alone)('is made for one %s', async (_what, headers) => {
    const on = await stage();
    const readers = [read(on.gate, '/metrics', { headers: { 'x-who': 'me' } })];
    await first(on);
    readers.push(read(on.gate, '/metrics', { headers: { 'x-who': 'me', ...headers } }));
    await poll('a second upstream request', () => on.asked.length === 2);
    for (const { response } of on.asked) response.end('a 1\n');
    for (const reader of readers) expect(await reader.ended()).toBe('whole');
  });

  it('is made for another path and another query', async () => {
    const on = await stage();
    for (const path of ['/metrics', '/federate', '/federate?match[]=a', '/federate?match[]=b']) read(on.gate, path);
    await poll('four upstream requests', () => on.asked.length === 4);
  });

  it('is made for everybody with share: off', async () => {
    const on = await stage({ scrape: { share: 'off', maxAgeMs: 60_000 } });
    for (const count of [1, 2]) {
      read(on.gate, '/federate');
      await poll('an upstream request', () => on.asked.length === count);
    }
  });

  it('is made under another configuration, although the store is the same', async () => {
    const scrapes = createScrapes({ clock: systemClock });
    const on = await stage({ scrapes });
    const next = await startGate({ upstream: on.gate.upstream, scrapes, config: { generation: 2 } });
    closing.push(() => next.close());
    const readers = [read(on.gate, '/metrics'), read(next, '/metrics')];
    await poll('two upstream requests', () => on.asked.length === 2);
    for (const { response } of on.asked) response.end('a 1\n');
    for (const reader of readers) expect(await reader.ended()).toBe('whole');
  });
});

it('a client that describes itself differently shares all the same', async () => {
  const on = await stage();
  const readers = ['one', 'two'].map((agent) =>
    read(on.gate, '/metrics', { headers: { 'user-agent': agent, traceparent: agent } }),
  );
  await arrivals(on, 2);
  (await first(on)).response.end('a 1\n');
  for (const reader of readers) expect(await reader.ended()).toBe('whole');
  expect(on.asked).toHaveLength(1);
});

it('across identities, no header that differs by client goes upstream', async () => {
  const on = await stage({ scrape: { share: 'across_identities' } });
  const readers = ['a', 'b'].map((who) =>
    read(on.gate, '/metrics', { headers: { 'x-who': who, 'user-agent': who, traceparent: who } }),
  );
  await arrivals(on, 2);
  const { request, response } = await first(on);
  response.end('a 1\n');
  for (const reader of readers) expect(await reader.ended()).toBe('whole');
  expect(on.asked).toHaveLength(1);
  expect(Object.keys(request.headers).sort()).toEqual(['connection', 'host']);
});
