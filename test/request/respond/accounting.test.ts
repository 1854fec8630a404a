/** What is written down of a scrape: one line of the access log, the metrics of its identity, and who was here. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ScrapeObservation, Visit } from '../../../src/observe/ports.ts';
import { poll } from '../../support/poll.ts';
import { PROTOCOLS, read } from '../forward/scrape/reader.ts';
import { setStage } from '../forward/scrape/stage.ts';
import type { Stage, StageOptions } from '../forward/scrape/stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const PAGE = 'up{job="a"} 1\nup{job="b"} 1\n';
const TEXT = { 'content-type': 'text/plain; version=0.0.4' };

interface Books {
  readonly on: Stage;
  readonly scrapes: ScrapeObservation[];
  readonly visits: Visit[];
}

async function open(options: Omit<StageOptions, 'closing'> = {}): Promise<Books> {
  const on = await setStage({ config: { accessLog: true }, ...options, closing });
  const scrapes: ScrapeObservation[] = [];
  const visits: Visit[] = [];
  on.gate.metrics.scrape = (observation) => scrapes.push(observation);
  on.gate.metrics.visited = (visit) => visits.push(visit);
  return { on, scrapes, visits };
}

const lineOf = ({ on }: Books, message: string) => on.gate.log.lines.find((line) => line.message === message)?.fields;

describe.each(PROTOCOLS)('a scrape over %s', (protocol) => {
  it('is one line with series, samples, bytes, the first byte and how it was shared', async () => {
    const books = await open({ answer: (_request, response) => response.writeHead(200, TEXT).end(PAGE) });
    const reader = read(books.on.gate, '/federate', { protocol, headers: { 'x-who': 'prom' } });
    expect(await reader.ended()).toBe('whole');
    await poll('the accounts', () => books.scrapes.length === 1 && lineOf(books, 'request') !== undefined);
    expect(lineOf(books, 'request')).toMatchObject({
      identity: 'prom',
      status: 200,
      bytes: PAGE.length,
      uncompressedBytes: PAGE.length,
      series: 2,
      samples: 2,
      sharing: 'leader',
      firstByteMs: expect.any(Number) as number,
    });
    expect(books.scrapes).toMatchObject([
      { upstream: books.on.gate.upstream.name, identity: 'prom', isWhole: true, scrape: { series: 2 } },
    ]);
    expect(books.visits).toMatchObject([
      { identity: { name: 'prom' }, bytesOut: PAGE.length, isWhole: true, denial: null, scrape: { series: 2 } },
    ]);
  });

  it('that was compressed has the bytes of both', async () => {
    const page = PAGE.repeat(500);
    const books = await open({
      scrape: { compression: 'gate' },
      answer: (_request, response) => response.writeHead(200, TEXT).end(page),
    });
    const headers = { 'accept-encoding': 'gzip' };
    expect(await read(books.on.gate, '/metrics', { protocol, headers }).ended()).toBe('whole');
    const line = await poll('the line', () => lineOf(books, 'request'));
    expect(line['uncompressedBytes']).toBe(page.length);
    expect(line['bytes']).toBeLessThan(page.length / 10);
    expect(line['series']).toBe(1000);
  });

  it('that was cut or left is not whole, and has what had come', async () => {
    const books = await open();
    const reader = read(books.on.gate, '/metrics', { protocol, headers: { 'x-who': 'prom' } });
    const { response } = await poll('the upstream to be asked', () => books.on.asked[0]);
    response.writeHead(200, TEXT).write(PAGE);
    await poll('the first bytes', () => reader.bytes > 0);
    reader.leave();
    await poll('the accounts', () => books.scrapes.length === 1);
    expect(books.scrapes).toMatchObject([{ isWhole: false, scrape: { series: 2, bytes: PAGE.length } }]);
    expect(books.visits).toMatchObject([{ isWhole: false }]);
  });

  it('that the upstream answers with an error has no series', async () => {
    const books = await open({ answer: (_request, response) => response.writeHead(400, TEXT).end('no\n') });
    expect(await read(books.on.gate, '/federate', { protocol }).ended()).toBe('whole');
    await poll('the accounts', () => books.scrapes.length === 1);
    expect(books.scrapes).toMatchObject([{ isWhole: false, scrape: { series: 0 } }]);
  });
});

it('a request without an identity is no visit, and one that is no scrape leaves no account of one', async () => {
  const books = await open({ answer: (_request, response) => response.end('{}') });
  await read(books.on.gate, '/api/v1/query').ended();
  await read(books.on.gate, '/api/v1/query', { headers: { 'x-who': 'prom' } }).ended();
  await poll('the accounts', () => books.on.gate.metrics.records.length === 2);
  expect(books.visits).toMatchObject([{ identity: { name: 'prom' }, scrape: null }]);
  expect(books.scrapes).toEqual([]);
  expect(lineOf(books, 'request')).not.toHaveProperty('series');
});
