/** What one identity may take, in one scrape and at once: real clients, a real upstream. */
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Caps } from '../../../../src/config/config.ts';
import { CAPPED_PATHS } from '../../../../src/config/rules/caps.ts';
import { createScrapes } from '../../../../src/request/forward/scrape/scrapes.ts';
import { capsOf, exceeded, needsPlain, needsWhole } from '../../../../src/request/forward/scrape/caps.ts';
import { isScrape } from '../../../../src/request/forward/scrape/plan.ts';
import { ENDPOINTS } from '../../../../src/request/endpoints.ts';
import type { Identity } from '../../../../src/request/identity.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { configOf, identityOf } from '../../../support/config-fixture.ts';
import { poll } from '../../../support/poll.ts';
import { startGate } from '../gate-fixture.ts';
import { PROTOCOLS, read } from './reader.ts';
import { identity, setStage } from './stage.ts';
import type { Stage, StageOptions } from './stage.ts';

const NONE: Caps = { bytes: null, series: null, durationMs: null, concurrentScrapes: null };
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const stage = (caps: Partial<Caps>, options: Omit<StageOptions, 'closing'> = {}): Promise<Stage> =>
  setStage({ config: { caps: { ...NONE, ...caps } }, ...options, closing });

const first = async ({ asked }: Stage): Promise<Stage['asked'][number]> =>
  poll('the upstream to be asked', () => asked[0]);

const lines = (count: number): string => 'a_series_of_the_upstream{with="a label"} 1\n'.repeat(count);
const TEXT = { 'content-type': 'text/plain; version=0.0.4' };

function ruled(name: string, caps: Partial<Caps>): Identity {
  const rule = identityOf({ name, caps: { ...NONE, ...caps } });
  return { ...identity(name), claim: { kind: 'rule', rule } };
}

describe('the judge', () => {
  it('allows what just reaches a cap, and names the one that is exceeded', () => {
    const caps = { ...NONE, bytes: 10, series: 2 };
    expect(exceeded(caps, { bytes: 10, series: 2 })).toBeNull();
    expect(exceeded(caps, { bytes: 11, series: 2 })).toBe('cap_bytes');
    expect(exceeded(caps, { bytes: 10, series: 3 })).toBe('cap_series');
    expect(exceeded(NONE, { bytes: 1e12, series: null })).toBeNull();
  });

  it('takes what cannot be counted for too much', () => {
    expect(exceeded({ ...NONE, series: 5 }, { bytes: 0, series: null })).toBe('cap_series');
    expect(exceeded({ ...NONE, bytes: 5 }, { bytes: 0, series: null })).toBeNull();
  });

  it('has the caps of the entry alone, and the general ones for everybody else', () => {
    const config = configOf({ caps: { ...NONE, bytes: 5 } });
    expect(capsOf({ config, identity: identity('a') }).bytes).toBe(5);
    expect(capsOf({ config, identity: null }).bytes).toBe(5);
    expect(capsOf({ config, identity: ruled('a', { series: 3 }) })).toEqual({ ...NONE, series: 3 });
  });

  it('asks for what it must see', () => {
    expect([NONE, { ...NONE, bytes: 1 }, { ...NONE, series: 1 }].map(needsPlain)).toEqual([false, false, true]);
    expect([NONE, { ...NONE, bytes: 1 }, { ...NONE, series: 1 }].map(needsWhole)).toEqual([false, true, true]);
  });

  it('is about the paths that the rules of the configuration know', () => {
    const paths = [...Object.values(ENDPOINTS).flat(), { path: '/federate' }].map(({ path }) => path);
    const scrapes = paths.filter((path) => isScrape({ kindPath: path, target: { method: 'GET', path, query: '' } }));
    expect([...new Set(scrapes)].sort()).toEqual([...CAPPED_PATHS].sort());
  });
});

describe.each(PROTOCOLS)('caps over %s', (protocol) => {
  it.each([
    ['bytes', { bytes: 1000 }, 'cap_bytes'],
    ['series', { series: 20 }, 'cap_series'],
  ])('an answer with too many %s that has begun is cut', async (_what, caps, reason) => {
    const on = await stage(caps);
    const reader = read(on.gate, '/metrics', { protocol });
    const { response } = await first(on);
    response.writeHead(200, TEXT).write(lines(20));
    await poll('the first bytes', () => reader.bytes > 0);
    response.write(lines(10));
    expect(await reader.ended()).toBe('cut');
    expect(reader.bytes).toBe(lines(20).length);
    expect(on.gate.metrics.refusals).toEqual([reason]);
    await poll('the upstream request to end', () => response.destroyed);
    const line = on.gate.log.lines.find(({ message }) => message === 'answer cut');
    expect(line?.fields).toMatchObject({ reason, detail: expect.stringContaining('more than') });
  });

  it('an answer that the gate has compressed up to the cap is cut without a trailer', async () => {
    const on = await stage({ series: 10_000 }, { scrape: { compression: 'gate' } });
    const reader = read(on.gate, '/metrics', { protocol, headers: { 'accept-encoding': 'gzip' } });
    const { response } = await first(on);
    response.writeHead(200, TEXT).write(lines(9_000));
    await poll('the first bytes', () => reader.bytes > 0);
    response.end(lines(9_000));
    expect(await reader.ended()).toBe('cut');
    expect(on.gate.metrics.refusals).toEqual(['cap_series']);
  });

  it('an announced length beyond the cap is refused before the first byte', async () => {
    const on = await stage({ bytes: 1000 });
    const reader = read(on.gate, '/federate', { protocol });
    const { response } = await first(on);
    response.writeHead(200, { ...TEXT, 'content-length': '1001' }).flushHeaders();
    expect(await reader.ended()).toBe('whole');
    expect(reader.status).toBe(422);
    expect(reader.body().toString()).toContain('larger than this identity may have');
    await poll('the upstream request to end', () => response.destroyed);
  });

  it('an answer that waited to be compressed is refused before the first byte', async () => {
    const on = await stage({ series: 99 }, { scrape: { compression: 'gate' } });
    const reader = read(on.gate, '/metrics', { protocol, headers: { 'accept-encoding': 'gzip' } });
    (await first(on)).response.writeHead(200, TEXT).end(lines(100));
    expect(await reader.ended()).toBe('whole');
    expect([reader.status, reader.headers['content-encoding']]).toEqual([422, undefined]);
  });

  it('what just reaches every cap is answered', async () => {
    const on = await stage({ bytes: lines(100).length, series: 100, durationMs: 60_000, concurrentScrapes: 1 });
    const reader = read(on.gate, '/metrics', { protocol });
    (await first(on)).response.writeHead(200, { ...TEXT, 'content-length': lines(100).length }).end(lines(100));
    expect(await reader.ended()).toBe('whole');
    expect([reader.status, reader.bytes]).toEqual([200, lines(100).length]);
  });

  it('a scrape that takes too long is answered 504, and cut when it has begun', async () => {
    const clock = createFakeClock();
    const on = await stage({ durationMs: 2000 }, { clock });
    const silent = read(on.gate, '/metrics', { protocol });
    await first(on);
    const begun = read(on.gate, '/federate', { protocol, headers: { 'x-prometheus-scrape-timeout-seconds': '10' } });
    const { response } = await poll('the upstream to be asked', () => on.asked[1]);
    response.writeHead(200, TEXT).write(lines(1));
    await poll('the first bytes', () => begun.bytes > 0);
    clock.advance(2000);
    expect([await silent.ended(), await begun.ended()]).toEqual(['whole', 'cut']);
    expect(silent.status).toBe(504);
    expect(on.gate.metrics.refusals).toEqual(['cap_duration', 'cap_duration']);
  });

  it('the earlier of the two deadlines counts', async () => {
    const clock = createFakeClock();
    const on = await stage({ durationMs: 20_000 }, { clock });
    const reader = read(on.gate, '/metrics', { protocol, headers: { 'x-prometheus-scrape-timeout-seconds': '1' } });
    await first(on);
    clock.advance(1000);
    expect(await reader.ended()).toBe('whole');
    expect(on.gate.metrics.refusals).toEqual(['scrape_timeout']);
  });

  it('more scrapes at once than allowed are refused, by identity, and the slot is free when one has ended', async () => {
    const on = await stage({ concurrentScrapes: 1 }, { scrape: { share: 'off' } });
    const one = read(on.gate, '/metrics', { protocol, headers: { 'x-who': 'a' } });
    const { response } = await first(on);
    const two = read(on.gate, '/metrics', { protocol, headers: { 'x-who': 'a' } });
    expect([await two.ended(), two.status]).toEqual(['whole', 429]);
    expect(on.gate.metrics.refusals).toEqual(['cap_concurrent_scrapes']);
    expect(Number(two.headers['retry-after'])).toBeGreaterThan(0);
    const other = read(on.gate, '/metrics', { protocol, headers: { 'x-who': 'b' } });
    await poll('the other identity to be asked for', () => on.asked[1]);
    response.writeHead(200, TEXT).end(lines(1));
    expect(await one.ended()).toBe('whole');
    await poll('the slot to be free', () => on.gate.metrics.flying === 1);
    const three = read(on.gate, '/metrics', { protocol, headers: { 'x-who': 'a' } });
    (await poll('the third to be asked for', () => on.asked[2])).response.writeHead(200, TEXT).end(lines(1));
    expect([await three.ended(), three.status]).toEqual(['whole', 200]);
    other.leave();
  });

  it.each([
    ['the client leaves before the answer', 'before'],
    ['the client leaves in the middle of it', 'within'],
    ['the upstream breaks off', 'broken'],
    ['the upstream is refused', 'refused'],
    ['a cap cuts it', 'capped'],
  ])('the slot is free again when %s', async (_what, end) => {
    const on = await stage({ concurrentScrapes: 1, series: 5 }, { scrape: { share: 'off' } });
    for (let round = 0; round < 3; round++) {
      const reader = read(on.gate, '/metrics', { protocol });
      const { response, request } = await poll('the upstream to be asked', () => on.asked[round]);
      if (end === 'before') reader.leave();
      else if (end === 'refused') request.socket.destroy();
      else {
        response.writeHead(200, TEXT).write(lines(2));
        await poll('the first bytes', () => reader.bytes > 0);
        if (end === 'within') reader.leave();
        else if (end === 'broken') request.socket.destroy();
        else response.write(lines(10));
      }
      await poll('the end of the request', () => on.gate.metrics.flying === 0);
    }
    const last = read(on.gate, '/metrics', { protocol });
    (await poll('the last to be asked for', () => on.asked[3])).response.writeHead(200, TEXT).end(lines(1));
    expect([await last.ended(), last.status]).toEqual(['whole', 200]);
  });

  it('each of those who share an answer has caps of their own', async () => {
    const caps = new Map([
      ['small', { series: 10 }],
      ['large', { series: 1000 }],
    ]);
    const on = await stage(
      {},
      {
        scrape: { share: 'across_identities', compression: 'gate', maxAgeMs: 60_000 },
        identityOf: ({ headers }) => ruled(String(headers['x-who']), caps.get(String(headers['x-who'])) ?? {}),
      },
    );
    const small = read(on.gate, '/federate', { protocol, headers: { 'x-who': 'small' } });
    await first(on);
    const large = read(on.gate, '/federate', { protocol, headers: { 'x-who': 'large' } });
    await poll('both to be there', () => on.gate.metrics.flying === 2);
    const { response } = await first(on);
    response.writeHead(200, TEXT).write(lines(5));
    await poll('the first bytes', () => small.bytes > 0 && large.bytes > 0);
    response.end(lines(50));
    expect([await small.ended(), await large.ended()]).toEqual(['cut', 'whole']);
    expect(large.bytes).toBe(lines(55).length);
    const late = read(on.gate, '/federate', { protocol, headers: { 'x-who': 'small' } });
    expect([await late.ended(), late.status]).toEqual(['whole', 422]);
    expect(on.asked).toHaveLength(1);
  });
});

describe('what a cap of series asks of the upstream', () => {
  it('is an uncompressed answer, and the client gets what it takes', async () => {
    const on = await stage({ series: 1000 });
    const reader = read(on.gate, '/metrics', { headers: { 'accept-encoding': 'gzip' } });
    const { request, response } = await first(on);
    expect(request.headers['accept-encoding']).toBe('identity');
    response.writeHead(200, TEXT).end(lines(900));
    expect(await reader.ended()).toBe('whole');
    expect(reader.headers['content-encoding']).toBe('gzip');
  });

  it.each([
    ['a compressed one', { ...TEXT, 'content-encoding': 'gzip' }],
    ['one of another type', { 'content-type': 'application/json' }],
  ])('%s is refused before the first byte', async (_what, headers) => {
    const on = await stage({ series: 1000 });
    const reader = read(on.gate, '/metrics');
    (await first(on)).response.writeHead(200, headers).end(gzipSync(lines(1)));
    expect([await reader.ended(), reader.status]).toEqual(['whole', 422]);
  });

  it('an error of the upstream passes: there are no series in it', async () => {
    const on = await stage({ series: 1, bytes: 100 });
    const reader = read(on.gate, '/federate?match[]=!');
    (await first(on)).response.writeHead(400, { 'content-type': 'text/html' }).end('no\n');
    expect([await reader.ended(), reader.status, reader.body().toString()]).toEqual(['whole', 400, 'no\n']);
  });

  it('nobody gets an answer in parts', async () => {
    const on = await stage({ bytes: 100 });
    const headers = { range: 'bytes=0-9', 'if-none-match': '"x"', 'if-range': '"x"' };
    const reader = read(on.gate, '/metrics', { headers });
    const { request, response } = await first(on);
    expect(Object.keys(request.headers).filter((name) => name === 'range' || name.startsWith('if-'))).toEqual([]);
    response.writeHead(206, TEXT).end(lines(10));
    expect([await reader.ended(), reader.status, on.gate.metrics.refusals]).toEqual(['whole', 422, ['cap_bytes']]);
  });
});

it('a reload does not forget the scrapes that are under way', async () => {
  const scrapes = createScrapes({ clock: systemClock });
  const before = await stage({}, { scrapes, scrape: { share: 'off' } });
  const after = await startGate({
    upstream: before.gate.upstream,
    scrapes,
    identityOf: () => null,
    config: { generation: 2, caps: { ...NONE, concurrentScrapes: 1 } },
  });
  closing.push(() => after.close());
  const old = read(before.gate, '/metrics');
  await first(before);
  const refused = read(after, '/metrics');
  expect([await refused.ended(), refused.status]).toEqual(['whole', 429]);
  old.leave();
  await poll('the old one to be gone', () => before.gate.metrics.flying === 0);
  const next = read(after, '/metrics');
  await poll('the next to be asked for', () => before.asked[1]);
  next.leave();
});
