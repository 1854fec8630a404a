/**
 * The attack: one identity asks 300 different federations (`max_age` keeps the answers), or holds large ones that it does
 * not read. Whatever bounded memory it fills was everybody's: the kept answers of the others go, and their readers are cut.
 */
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createScrapes } from '../../src/request/forward/scrape/scrapes.ts';
import { read } from '../request/forward/scrape/reader.ts';
import { setStage } from '../request/forward/scrape/stage.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it('ever new questions evict the answers of who asks them, and of no other', { timeout: 30_000 }, async () => {
  let count = 0;
  const { gate } = await setStage({
    closing,
    scrape: { maxAgeMs: 600_000 },
    answer: (_request, response) => response.end(`up ${String((count += 1))}\n`),
  });
  const ask = async (who: string, path: string): Promise<string> => {
    const reader = read(gate, path, { headers: { 'x-who': who } });
    expect(await reader.ended()).toBe('whole');
    return reader.body().toString();
  };
  const first = await ask('prometheus', '/federate?match[]=up');
  const second = await ask('grafana', '/federate?match[]=up');
  for (let batch = 0; batch < 10; batch += 1) {
    const questions = Array.from({ length: 30 }, (_none, index) => `/federate?match[]=up${String(batch * 30 + index)}`);
    await Promise.all(questions.map((question) => ask('mallory', question)));
  }
  expect(count).toBe(302);
  expect(await ask('prometheus', '/federate?match[]=up')).toBe(first);
  expect(await ask('grafana', '/federate?match[]=up')).toBe(second);
});

it('large answers that are kept for one identity cost no other its own', { timeout: 30_000 }, async () => {
  const page = Buffer.alloc(400_000, 'x');
  let count = 0;
  const scrapes = createScrapes({ clock: systemClock, totalBytes: 2_000_000 });
  const { gate } = await setStage({
    closing,
    scrapes,
    scrape: { maxAgeMs: 600_000 },
    answer: (_request, response) => {
      count += 1;
      response.end(page);
    },
  });
  const ask = async (who: string, path: string): Promise<void> => {
    const reader = read(gate, path, { headers: { 'x-who': who }, discard: true });
    expect(await reader.ended()).toBe('whole');
  };
  await ask('prometheus', '/federate?match[]=up');
  for (let number = 0; number < 12; number += 1) await ask('mallory', `/federate?match[]=up${String(number)}`);
  await poll('the bound', () => scrapes.usedBytes <= 2_000_000);
  const before = count;
  await ask('prometheus', '/federate?match[]=up');
  expect(count).toBe(before);
});

it('who scrapes without a name has the slots of its own address only', { timeout: 30_000 }, async () => {
  const { gate, asked } = await setStage({
    closing,
    scrape: { share: 'off' },
    config: { caps: { bytes: null, series: null, durationMs: null, concurrentScrapes: 1 } },
    before: (passage) => {
      passage.address = passage.target.query;
      return true;
    },
  });
  read(gate, '/metrics?192.0.2.1');
  await poll('the first', () => asked.length === 1);
  expect(await read(gate, '/metrics?192.0.2.1').opened()).toBe(429);
  const other = read(gate, '/metrics?192.0.2.2');
  await poll('the other', () => asked.length === 2);
  for (const { response } of asked) response.end('up 1\n');
  expect(await other.ended()).toBe('whole');
});
