/** The gate compresses what a near upstream has sent uncompressed. */
import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { curl } from '../../../support/curl.ts';
import { poll } from '../../../support/poll.ts';
import { PROTOCOLS, read } from './reader.ts';
import { setStage } from './stage.ts';
import type { Stage, StageOptions } from './stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const GZIP = { 'accept-encoding': 'gzip' };
const page = (lines: number): string =>
  Array.from(
    { length: lines },
    (_, index) => `node_cpu_seconds_total{cpu="${String(index)}"} ${String(index)}.5\n`,
  ).join('');
/** As Prometheus writes a federation: without a length, in small chunks. */
function stream(response: ServerResponse, text: string): void {
  for (let at = 0; at < text.length; at += 4000) response.write(text.slice(at, at + 4000));
  response.end();
}

const stage = (answer: StageOptions['answer'], scrape: StageOptions['scrape'] = {}): Promise<Stage> =>
  setStage({ closing, scrape: { compression: 'gate', ...scrape }, ...(answer === undefined ? {} : { answer }) });

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('a page is asked for uncompressed and given in one piece, with its length', async () => {
    const text = page(1000);
    const { gate, origin } = await stage((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4', etag: '"1"', vary: 'accept' }).end(text);
    });
    const reader = read(gate, '/metrics', { protocol, headers: GZIP });
    expect(await reader.ended()).toBe('whole');
    expect(gunzipSync(reader.body()).toString()).toBe(text);
    expect(reader.headers).toMatchObject({
      'content-type': 'text/plain; version=0.0.4',
      'content-encoding': 'gzip',
      'content-length': String(reader.bytes),
      vary: 'accept, accept-encoding',
      etag: 'W/"1"',
    });
    expect(reader.bytes).toBeLessThan(text.length / 4);
    expect(origin.requests[0]?.headers['accept-encoding']).toBe('identity');
  });

  it('a large answer in small chunks is compressed on the way', async () => {
    const text = page(200_000);
    const { gate } = await stage((_request, response) => {
      stream(response, text);
    });
    const reader = read(gate, '/federate', { protocol, headers: GZIP });
    expect(await reader.ended()).toBe('whole');
    expect(reader.headers['content-length']).toBeUndefined();
    expect(gunzipSync(reader.body()).toString() === text).toBe(true);
  });

  it('a slow reader holds back the upstream, and gets everything', async () => {
    // Random, so that what is compressed is not much smaller.
    const text = randomBytes(60_000_000);
    let drained = false;
    const { gate } = await stage(
      (_request, response) => {
        if (!response.write(text.subarray(0, 50_000_000))) {
          response.once('drain', () => {
            drained = true;
          });
        }
        response.end(text.subarray(50_000_000));
      },
      { share: 'off' },
    );
    const reader = read(gate, '/federate', { protocol, headers: GZIP, paused: true });
    await reader.opened();
    expect(drained).toBe(false);
    reader.resume();
    expect(await reader.ended()).toBe('whole');
    expect(gunzipSync(reader.body()).equals(text)).toBe(true);
  });

  it.each([1, 300_000])('what is cut after %d lines has no trailer', async (lines) => {
    const { gate, asked } = await stage(undefined);
    const reader = read(gate, '/federate', { protocol, headers: GZIP });
    const { response } = await poll('the upstream to be asked', () => asked[0]);
    response.write(page(lines));
    if (lines > 1) await poll('the first bytes', () => reader.bytes > 0);
    response.destroy();
    if (lines > 1) {
      expect(await reader.ended()).toBe('cut');
      expect(() => gunzipSync(reader.body())).toThrow();
    } else {
      // Nothing had been sent: the failure can still be told.
      expect(await reader.opened()).toBe(502);
    }
  });
});

it('a client that does not take gzip gets what the upstream sent', async () => {
  const text = page(1000);
  const { gate, origin } = await stage((_request, response) => response.end(text));
  const reader = read(gate, '/metrics', { headers: { 'accept-encoding': 'br, gzip;q=0' } });
  expect(await reader.ended()).toBe('whole');
  expect(reader.body().toString()).toBe(text);
  expect(reader.headers).toMatchObject({ vary: 'accept-encoding' });
  expect(reader.headers['content-encoding']).toBeUndefined();
  expect(origin.requests[0]?.headers['accept-encoding']).toBe('identity');
});

it.each([
  ['with a length', true],
  ['without a length', false],
])('a small answer %s is not compressed', async (_how, withLength) => {
  const { gate } = await stage((_request, response) => {
    if (withLength) response.setHeader('content-length', 5);
    response.write('up 1\n');
    response.end();
  });
  const reader = read(gate, '/metrics', { headers: GZIP });
  expect(await reader.ended()).toBe('whole');
  expect(reader.body().toString()).toBe('up 1\n');
  expect(reader.headers).toMatchObject({ 'content-length': '5', vary: 'accept-encoding' });
});

it('an empty federation stays empty', async () => {
  const { gate } = await stage((_request, response) => response.end());
  const reader = read(gate, '/federate', { headers: GZIP });
  expect(await reader.ended()).toBe('whole');
  expect(reader.bytes).toBe(0);
});

it.each([
  ['compressed all the same', 200, { 'content-encoding': 'gzip' }, gzipSync(page(1000))],
  ['an error', 404, {}, Buffer.from(page(1000))],
])('what is %s passes as it is', async (_what, status, headers, body) => {
  const { gate } = await stage((_request, response) => response.writeHead(status, headers).end(body));
  const reader = read(gate, '/metrics', { headers: GZIP });
  await reader.ended();
  expect(reader.status).toBe(status);
  expect(reader.body().equals(body)).toBe(true);
});

it('a part of a page passes as it is', async () => {
  const { gate, origin } = await stage((_request, response) => {
    response.writeHead(206, { 'content-range': 'bytes 0-1999/5000' }).end('x'.repeat(2000));
  });
  const reader = read(gate, '/metrics', { headers: { ...GZIP, range: 'bytes=0-1999' } });
  expect(await reader.ended()).toBe('whole');
  expect(reader.status).toBe(206);
  expect(reader.body().toString()).toBe('x'.repeat(2000));
  expect(origin.requests[0]?.headers['accept-encoding']).toBe('gzip');
});

it('compression: upstream leaves the choice to the two of them', async () => {
  const { gate, origin } = await stage((_request, response) => response.end(page(1000)), { compression: 'upstream' });
  const reader = read(gate, '/metrics', { headers: { 'accept-encoding': 'zstd, gzip;q=0.5' } });
  expect(await reader.ended()).toBe('whole');
  expect(reader.body().toString()).toBe(page(1000));
  expect(origin.requests[0]?.headers['accept-encoding']).toBe('zstd, gzip;q=0.5');
});

it('several share what is compressed once', async () => {
  const text = page(100_000);
  const { gate, asked } = await stage(undefined);
  const readers = [1, 2, 3].map(() => read(gate, '/federate', { headers: GZIP }));
  await poll('all of them', () => gate.metrics.flying === 3);
  const { response } = await poll('the upstream to be asked', () => asked[0]);
  stream(response, text);
  for (const reader of readers) {
    expect(await reader.ended()).toBe('whole');
    expect(gunzipSync(reader.body()).toString() === text).toBe(true);
  }
  expect(asked).toHaveLength(1);
});

it('curl --compressed sees an answer that was cut as an error', async () => {
  const { gate } = await stage((_request, response) => {
    response.write(page(100_000), () => response.destroy());
  });
  for (const [flags, url] of [
    [[], gate.url],
    [['--http2-prior-knowledge'], gate.http2Url],
  ] as const) {
    const answer = await curl('--compressed', ...flags, `${url}/federate`);
    expect(answer.exit).not.toBe(0);
  }
});
