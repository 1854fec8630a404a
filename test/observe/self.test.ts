import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { acceptsGzip } from '../../src/request/message.ts';
import { createSelfUpstream } from '../../src/observe/self.ts';
import type { MetricValues } from '../../src/observe/self-federation.ts';
import type { Answer, AnswerHeaders } from '../../src/request/answer.ts';
import type { Question } from '../../src/request/upstream.ts';
import { createFakeClock } from '../support/fake-clock.ts';

interface Recorded {
  status: number | null;
  headers: AnswerHeaders;
  chunks: Buffer[];
  refused: unknown;
  ended: boolean;
  closed: boolean;
  drain: (() => void) | null;
}

function record(accepts: (written: number) => boolean = () => true): { answer: Answer; seen: Recorded } {
  const seen: Recorded = {
    status: null,
    headers: {},
    chunks: [],
    refused: null,
    ended: false,
    closed: false,
    drain: null,
  };
  const answer: Answer = {
    get opened() {
      return seen.status !== null;
    },
    get closed() {
      return seen.closed || seen.ended;
    },
    refuse: (reason, details) => {
      seen.refused = details === undefined ? reason : [reason, details];
      seen.ended = true;
    },
    open: (status, headers) => {
      seen.status = status;
      seen.headers = headers;
    },
    write: (chunk) => {
      if (seen.closed) throw new Error('written after the client left');
      seen.chunks.push(Buffer.from(chunk));
      return accepts(seen.chunks.length);
    },
    onDrain: (callback) => {
      seen.drain = callback;
    },
    onClose: () => undefined,
    end: () => {
      seen.ended = true;
    },
    cut: () => {
      seen.ended = true;
    },
  };
  return { answer, seen };
}

const ask = (changes: Partial<Question> = {}): Question => ({
  party: 'central',
  method: 'GET',
  path: '/metrics',
  query: '',
  headers: {},
  ...changes,
});

const SERIES: readonly MetricValues[] = [
  {
    name: 'promgate_requests_total',
    values: [
      { labels: { identity: 'one', code: 200 }, value: 3 },
      { labels: { identity: 'two "x"\n', code: 403 }, value: 1 },
    ],
  },
  {
    name: 'duration_seconds',
    values: [
      { metricName: 'duration_seconds_bucket', labels: { le: '+Inf' }, value: 7 },
      { metricName: 'duration_seconds_sum', labels: {}, value: Number.POSITIVE_INFINITY },
      { metricName: 'duration_seconds_count', labels: {}, value: 7 },
    ],
  },
];
const NOW = 1_700_000_000_000;

const serving = (body: string) =>
  createSelfUpstream(
    { expose: async () => ({ contentType: 'text/plain; version=0.0.4', body }), values: async () => SERIES },
    createFakeClock(NOW),
  );

async function federated(...selectors: readonly string[]) {
  const query = selectors.map((selector) => `match[]=${encodeURIComponent(selector)}`).join('&');
  const { answer, seen } = record();
  serving('')(ask({ path: '/federate', query }), answer);
  await expect.poll(() => seen.ended).toBe(true);
  return { refused: seen.refused, text: Buffer.concat(seen.chunks).toString(), headers: seen.headers };
}

describe('the upstream self', () => {
  it('serves the metrics as text', async () => {
    const { answer, seen } = record();
    serving('a 1\n')(ask(), answer);
    await expect.poll(() => seen.ended).toBe(true);
    expect(seen.status).toBe(200);
    expect(seen.headers).toMatchObject({ 'content-type': 'text/plain; version=0.0.4', 'content-length': '4' });
    expect(Buffer.concat(seen.chunks).toString()).toBe('a 1\n');
  });

  it('compresses a long body for who accepts it, and no short one', async () => {
    const headers = { 'accept-encoding': ['deflate', 'gzip;q=0.5'] };
    const body = 'metric 1\n'.repeat(1000);
    const long = record();
    serving(body)(ask({ headers }), long.answer);
    await expect.poll(() => long.seen.ended).toBe(true);
    expect(long.seen.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(Buffer.concat(long.seen.chunks)).toString()).toBe(body);

    const short = record();
    serving('a 1\n')(ask({ headers }), short.answer);
    await expect.poll(() => short.seen.ended).toBe(true);
    expect(short.seen.headers['content-encoding']).toBeUndefined();
  });

  it('waits for a client that reads slowly', async () => {
    const body = 'x'.repeat(200_000);
    const { answer, seen } = record((written) => written % 2 === 0);
    serving(body)(ask(), answer);
    await expect.poll(() => seen.drain).not.toBeNull();
    expect(seen.chunks).toHaveLength(1);
    while (!seen.ended) {
      const resume = seen.drain;
      seen.drain = null;
      if (resume === null) throw new Error('neither ended nor waiting');
      resume();
    }
    expect(Buffer.concat(seen.chunks).toString()).toBe(body);
  });

  it('writes nothing to a client that left', async () => {
    const left = record(() => false);
    serving('x'.repeat(200_000))(ask(), left.answer);
    await expect.poll(() => left.seen.drain).not.toBeNull();
    left.seen.closed = true;
    left.seen.drain?.();
    expect(left.seen.chunks).toHaveLength(1);

    const gone = record();
    gone.seen.closed = true;
    serving('a 1\n')(ask(), gone.answer);
    await new Promise(setImmediate);
    expect(gone.seen.status).toBeNull();
  });

  it('has an index, and nothing else', () => {
    const index = record();
    serving('')(ask({ path: '/' }), index.answer);
    expect(Buffer.concat(index.seen.chunks).toString()).toMatch(/^promgate: .*metrics.*federate.*\n$/);
    const other = record();
    serving('')(ask({ path: '/-/reload' }), other.answer);
    expect(other.seen.refused).toBe('path_unknown');
    const post = record();
    serving('')(ask({ method: 'POST' }), post.answer);
    expect(post.seen.refused).toEqual(['method_not_allowed', { allow: ['GET', 'HEAD'] }]);
  });

  it('answers a failed exposition as a defect', async () => {
    const { answer, seen } = record();
    createSelfUpstream({ expose: () => Promise.reject(new Error('boom')), values: async () => [] }, createFakeClock())(
      ask(),
      answer,
    );
    await expect.poll(() => seen.refused).toEqual(['internal_error', { detail: 'Error: boom' }]);
  });
});

describe('its /federate', () => {
  it('gives the series that a selector matches, by name, untyped and with the time', async () => {
    const { text, headers } = await federated('{__name__=~"duration_.*"}', 'promgate_requests_total{identity="one"}');
    expect(headers).toMatchObject({ 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    expect(text).toBe(`# TYPE duration_seconds_bucket untyped
duration_seconds_bucket{le="+Inf"} 7 ${String(NOW)}
# TYPE duration_seconds_count untyped
duration_seconds_count 7 ${String(NOW)}
# TYPE duration_seconds_sum untyped
duration_seconds_sum +Inf ${String(NOW)}
# TYPE promgate_requests_total untyped
promgate_requests_total{identity="one",code="200"} 3 ${String(NOW)}
`);
  });

  it('gives a series once, whoever matches it, and escapes its labels', async () => {
    const { text } = await federated('{identity=~"two.*"}', '{code="403"}');
    expect(text.split('\n')[1]).toBe(`promgate_requests_total{identity="two \\"x\\"\\n",code="403"} 1 ${String(NOW)}`);
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  it('is empty without a selector, and for one that matches nothing', async () => {
    expect(await federated()).toMatchObject({ text: '', refused: null });
    expect(await federated('up')).toMatchObject({ text: '', refused: null });
  });

  it('refuses what is no selector, and more selectors than anybody needs', async () => {
    expect((await federated('{')).refused).toMatchObject(['bad_query', {}]);
    expect((await federated('{a=~"("}')).refused).toMatchObject(['bad_query', {}]);
    expect((await federated(...Array.from({ length: 101 }, () => 'up'))).refused).toMatchObject(['bad_query', {}]);
  });
});

it.each([
  ['gzip', true],
  ['deflate, GZIP;q=0.1', true],
  ['*', true],
  ['gzip;q=0, *', false],
  ['gzip;q=0.000', false],
  ['identity', false],
  ['', false],
  ['xgzip', false],
])('Accept-Encoding %j takes gzip: %s', (header, expected) => {
  expect(acceptsGzip(header)).toBe(expected);
});
