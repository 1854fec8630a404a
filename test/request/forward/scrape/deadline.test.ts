import { afterEach, describe, expect, it } from 'vitest';
import { answerWithinMs, scrapeTimeoutMs } from '../../../../src/request/forward/scrape/deadline.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { poll } from '../../../support/poll.ts';
import { PROTOCOLS, read } from './reader.ts';
import { setStage } from './stage.ts';

const HEADER = 'x-prometheus-scrape-timeout-seconds';
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe('the time-out of a scraper', () => {
  it.each([
    ['10', 10_000],
    ['0.5', 500],
    ['0', 100],
    ['0.001', 100],
    ['129.9999', 130_000],
    ['131', 130_000],
    ['999999999999999', 130_000],
  ])('%s is %d ms', (header, expected) => {
    expect(scrapeTimeoutMs(header, 130_000)).toBe(expected);
  });

  it.each([undefined, '', '-1', '1e3', 'NaN', 'Infinity', '10s', ' 10', '10, 10', '.5', '5.', '0x10', '9'.repeat(400)])(
    '%j is as if it were not there',
    (header) => {
      expect(scrapeTimeoutMs(header, 130_000)).toBeNull();
    },
  );

  it.each([
    [100, 80],
    [400, 380],
    [1000, 950],
    [10_000, 9_500],
    [60_000, 59_500],
  ])('of %d ms is answered within %d ms', (timeoutMs, expected) => {
    expect(answerWithinMs(timeoutMs)).toBe(expected);
  });
});

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('a scrape that takes too long is answered 504 before the scraper gives up, and cancelled upstream', async () => {
    const { gate, asked } = await setStage({ closing });
    const began = performance.now();
    const reader = read(gate, '/metrics', { protocol, headers: { [HEADER]: '1' } });
    expect(await reader.opened()).toBe(504);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(gate.metrics.refusals).toEqual(['scrape_timeout']);
    await poll('the upstream request to be cancelled', () => asked[0]?.response.closed);
    expect(asked[0]?.request.headers[HEADER]).toBe('1');
  });

  it('a scrape that has begun is cut', async () => {
    const { gate, asked } = await setStage({ closing });
    const reader = read(gate, '/metrics', { protocol, headers: { [HEADER]: '0.5' } });
    const { response } = await poll('the upstream to be asked', () => asked[0]);
    response.write('a 1\n');
    expect(await reader.opened()).toBe(200);
    expect(await reader.ended()).toBe('cut');
    expect(gate.metrics.refusals).toEqual(['scrape_timeout']);
    await poll('the upstream request to be cancelled', () => response.closed);
  });

  it('garbage is not passed on, and does not end a scrape', async () => {
    const { gate, asked } = await setStage({ closing });
    const reader = read(gate, '/metrics', { protocol, headers: { [HEADER]: '1e-9' } });
    const { request, response } = await poll('the upstream to be asked', () => asked[0]);
    expect(request.headers[HEADER]).toBeUndefined();
    response.end('a 1\n');
    expect(await reader.ended()).toBe('whole');
  });

  it('each participant has a deadline of their own, and the leader has none for the others', async () => {
    const clock = createFakeClock();
    const { gate, asked } = await setStage({ closing, clock });
    const headers = { [HEADER]: '0.4' };
    const leader = read(gate, '/metrics', { protocol, headers });
    const { response } = await poll('the upstream to be asked', () => asked[0]);
    clock.advance(200);
    const other = read(gate, '/metrics', { protocol, headers });
    await poll('both', () => gate.metrics.flying === 2);
    clock.advance(200);
    expect(await leader.opened()).toBe(504);
    expect(other.status).toBeNull();
    response.end('a 1\n');
    expect(await other.ended()).toBe('whole');
    expect(asked).toHaveLength(1);
  });
});
