/**
 * The attack: 60 scrapes at once of a page that the gate compresses, at `compression_level: 9`. libuv's four threads work on
 * nothing else, so that another's scrape waits behind all of them, and every file of a reload (and so of a revocation) too.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { CompressionTurns } from '../../src/request/forward/scrape/compression-turns.ts';
import type { CompressionJob } from '../../src/request/forward/scrape/compression-turns.ts';
import { read } from '../request/forward/scrape/reader.ts';
import { setStage } from '../request/forward/scrape/stage.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const LINES = Array.from(
  { length: 30_000 },
  (_none, index) =>
    `http_requests_total{code="${String(index % 600)}",path="/a/${String(index)}"} ${String(index ** 2)}\n`,
);
const PAGE = Buffer.from(LINES.join(''));

it('60 scrapes of one identity leave another its turn, and files theirs', { timeout: 60_000 }, async () => {
  const { gate } = await setStage({
    closing,
    scrape: { compression: 'gate', compressionLevel: 9, share: 'off' },
    upstream: { maxConnections: 256, maxQueue: 256 },
    answer: (_request, response) => response.end(PAGE),
  });
  const ask = (who: string, path: string) =>
    read(gate, path, { headers: { 'x-who': who, 'accept-encoding': 'gzip' }, discard: true });
  const attack = Array.from({ length: 60 }, (_none, index) => ask('mallory', `/federate?${String(index)}`));
  await poll('the attack under way', () => attack.every(({ bytes }) => bytes > 0), { deadlineMs: 30_000 });
  const good = ask('prometheus', '/federate');
  for (let count = 0; count < 20; count += 1) await readFile(fileURLToPath(import.meta.url));
  expect(attack.filter(({ end }) => end === 'whole').length).toBeLessThan(30);
  expect(await good.ended()).toBe('whole');
  expect(attack.filter(({ end }) => end === 'whole').length).toBeLessThan(30);
});

describe('turns', () => {
  function jobs() {
    const turns = new CompressionTurns();
    const started: string[] = [];
    const enter = (party: string, name: string): CompressionJob => {
      const job = { party, start: () => void started.push(name) };
      turns.enter(job);
      return job;
    };
    return { turns, started, enter };
  }

  it('are two at a time, and go round by party', () => {
    const { turns, started, enter } = jobs();
    const all = [enter('m', 'm1'), enter('m', 'm2'), enter('m', 'm3'), enter('m', 'm4'), enter('p', 'p1')];
    expect([started, turns.running]).toEqual([['m1', 'm2'], 2]);
    turns.done(all[0]!);
    expect(started).toEqual(['m1', 'm2', 'p1']);
    turns.done(all[1]!);
    turns.done(all[4]!);
    expect(started).toEqual(['m1', 'm2', 'p1', 'm3', 'm4']);
  });

  it('are given up before they have come, not after', () => {
    const { turns, started, enter } = jobs();
    const [first, second, third] = [enter('m', 'm1'), enter('m', 'm2'), enter('m', 'm3')];
    expect([turns.leave(first), turns.leave(third)]).toEqual([false, true]);
    turns.done(first);
    turns.done(second);
    expect([started, turns.running]).toEqual([['m1', 'm2'], 0]);
  });
});

it('clients that leave in the middle give every turn back', { timeout: 60_000 }, async () => {
  const { gate } = await setStage({
    closing,
    scrape: { compression: 'gate', compressionLevel: 9, share: 'off' },
    upstream: { maxConnections: 64 },
    answer: (_request, response) => response.end(PAGE),
  });
  const headers = { 'x-who': 'mallory', 'accept-encoding': 'gzip' };
  for (let round = 0; round < 3; round += 1) {
    const readers = Array.from({ length: 8 }, () => read(gate, '/federate', { headers, discard: true }));
    await poll('the first bytes', () => readers.some(({ bytes }) => bytes > 0), { deadlineMs: 20_000 });
    for (const reader of readers) reader.leave();
  }
  expect(await read(gate, '/federate', { headers, discard: true }).ended()).toBe('whole');
});
