/** `max_age`: the answer of a federation, given again for a while. */
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createScrapes } from '../../../../src/request/forward/scrape/scrapes.ts';
import type { Scrapes } from '../../../../src/request/forward/scrape/scrapes.ts';
import type { Passage } from '../../../../src/request/passage.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import type { FakeClock } from '../../../support/fake-clock.ts';
import { poll } from '../../../support/poll.ts';
import { startGate } from '../gate-fixture.ts';
import { PROTOCOLS, read } from './reader.ts';
import type { Reader } from './reader.ts';
import { setStage } from './stage.ts';
import type { Stage, StageOptions } from './stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const MAX_AGE_MS = 10_000;

interface Kept extends Stage {
  readonly clock: FakeClock;
  readonly scrapes: Scrapes;
}

async function keeping(
  answer: StageOptions['answer'],
  options: {
    totalBytes?: number;
    share?: 'identity' | 'across_identities';
    before?: (passage: Passage) => boolean;
  } = {},
): Promise<Kept> {
  const clock = createFakeClock();
  const { totalBytes, share = 'identity', before } = options;
  const scrapes = createScrapes({ clock, ...(totalBytes === undefined ? {} : { totalBytes }) });
  const scrape = { maxAgeMs: MAX_AGE_MS, share, compression: 'gate' } as const;
  const on = await setStage({
    closing,
    clock,
    scrapes,
    scrape,
    ...(answer === undefined ? {} : { answer }),
    ...(before === undefined ? {} : { before }),
  });
  return { ...on, clock, scrapes };
}

async function whole(reader: Reader): Promise<string> {
  expect(await reader.ended()).toBe('whole');
  return reader.body().toString();
}

/** Answers with the number of the request. */
function counting(): StageOptions['answer'] {
  let count = 0;
  return (_request, response) => {
    count += 1;
    response.end(`up ${String(count)}\n`);
  };
}

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('an answer is given again until it is too old', async () => {
    const passages: Passage[] = [];
    const { gate, clock, origin } = await keeping(counting(), { before: (passage) => passages.push(passage) > 0 });
    const ask = (): Promise<string> => whole(read(gate, '/federate?match[]=up', { protocol }));
    expect(await ask()).toBe('up 1\n');
    clock.advance(MAX_AGE_MS - 1);
    const again = read(gate, '/federate?match[]=up', { protocol });
    expect(await whole(again)).toBe('up 1\n');
    expect(again.headers).toMatchObject({ age: '9', 'content-length': '5' });
    clock.advance(1);
    expect(await ask()).toBe('up 2\n');
    expect(origin.requests).toHaveLength(2);
    await poll('the accounts', () => gate.metrics.records.length === 3);
    expect(passages.map(({ scrape }) => [scrape?.sharing, scrape?.bytes])).toEqual([
      ['leader', 5],
      ['reused', 5],
      ['leader', 5],
    ]);
  });
});

it('the age counts from when the upstream was asked', async () => {
  const { gate, clock, asked } = await keeping(undefined);
  const reader = read(gate, '/federate');
  const { response } = await poll('the upstream to be asked', () => asked[0]);
  clock.advance(MAX_AGE_MS - 1000);
  response.end('up 1\n');
  await whole(reader);
  clock.advance(1000);
  read(gate, '/federate');
  await poll('the upstream to be asked again', () => asked.length === 2);
});

it('one that took longer than its age is not kept', async () => {
  const { gate, clock, asked, scrapes } = await keeping(undefined);
  const reader = read(gate, '/federate');
  const { response } = await poll('the upstream to be asked', () => asked[0]);
  clock.advance(MAX_AGE_MS + 1000);
  response.end('up 1\n');
  await whole(reader);
  expect(scrapes.usedBytes).toBe(0);
});

it.each([
  ['the page of an exporter', '/metrics', 200],
  ['an error', '/federate', 503],
  ['a redirection', '/federate', 302],
])('%s is never given again', async (_what, path, status) => {
  const { gate, origin, scrapes } = await keeping((_request, response) => response.writeHead(status).end('a 1\n'));
  for (const count of [1, 2]) {
    await whole(read(gate, path));
    expect(origin.requests).toHaveLength(count);
  }
  expect(scrapes.usedBytes).toBe(0);
});

it('an answer that was cut is never given again', async () => {
  const { gate, asked, scrapes } = await keeping(undefined);
  const reader = read(gate, '/federate');
  const { response } = await poll('the upstream to be asked', () => asked[0]);
  response.writeHead(200, { 'content-length': '100' });
  response.write('up 1\n');
  await reader.opened();
  response.destroy();
  expect(await reader.ended()).toBe('cut');
  expect(scrapes.usedBytes).toBe(0);
  read(gate, '/federate');
  await poll('the upstream to be asked again', () => asked.length === 2);
});

it.each(['identity', 'across_identities'] as const)('with share: %s it is kept for whom it may be', async (share) => {
  const { gate } = await keeping(counting(), { share });
  expect(await whole(read(gate, '/federate', { headers: { 'x-who': 'a' } }))).toBe('up 1\n');
  const expected = share === 'identity' ? 'up 2\n' : 'up 1\n';
  expect(await whole(read(gate, '/federate', { headers: { 'x-who': 'b' } }))).toBe(expected);
});

it('every encoding has an answer of its own', async () => {
  const { gate, origin } = await keeping((_request, response) => response.end('up 1\n'.repeat(1000)));
  for (let round = 1; round <= 2; round++) {
    const packed = read(gate, '/federate', { headers: { 'accept-encoding': 'gzip' } });
    await packed.ended();
    expect(gunzipSync(packed.body()).toString()).toBe('up 1\n'.repeat(1000));
    expect(await whole(read(gate, '/federate'))).toBe('up 1\n'.repeat(1000));
  }
  expect(origin.requests).toHaveLength(2);
});

it('the first scrape under a new configuration empties the store', async () => {
  const { gate, scrapes, clock } = await keeping(counting());
  await whole(read(gate, '/federate'));
  expect(scrapes.usedBytes).toBeGreaterThan(0);
  const next = await startGate({ upstream: gate.upstream, scrapes, clock, config: { generation: 2 } });
  closing.push(() => next.close());
  await whole(read(next, '/metrics'));
  expect(scrapes.usedBytes).toBe(0);
  expect(await whole(read(next, '/federate'))).toBe('up 3\n');
  // What an old configuration still answers is not kept any more.
  const before = scrapes.usedBytes;
  expect(await whole(read(gate, '/federate'))).toBe('up 4\n');
  expect(scrapes.usedBytes).toBe(before);
});

it('the memory of all is bounded: the one not asked for the longest goes first', async () => {
  const { gate, origin, scrapes } = await keeping(
    (_request, response) => response.writeHead(200, { 'content-length': '100000' }).end('x'.repeat(100_000)),
    { totalBytes: 250_000 },
  );
  const ask = (name: string): Promise<string> => whole(read(gate, `/federate?match[]=${name}`));
  for (const name of ['a', 'b', 'a', 'c']) await ask(name);
  expect(origin.requests).toHaveLength(3);
  expect(scrapes.usedBytes).toBeLessThanOrEqual(250_000);
  await ask('a');
  expect(origin.requests).toHaveLength(3);
  await ask('b');
  expect(origin.requests).toHaveLength(4);
});

it('an answer larger than the memory is given, and not kept', async () => {
  const { gate, scrapes } = await keeping((_request, response) => response.end('x'.repeat(1_000_000)), {
    totalBytes: 100_000,
  });
  expect((await whole(read(gate, '/federate'))).length).toBe(1_000_000);
  expect(scrapes.usedBytes).toBe(0);
});

it('what is too old leaves the memory without being asked for', async () => {
  const { gate, scrapes, clock } = await keeping(counting());
  await whole(read(gate, '/federate'));
  clock.advance(MAX_AGE_MS);
  expect(scrapes.usedBytes).toBe(0);
});
