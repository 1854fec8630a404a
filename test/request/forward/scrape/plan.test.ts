import { describe, expect, it } from 'vitest';
import type { ScrapeSettings, Upstream } from '../../../../src/config/config.ts';
import type { Passage } from '../../../../src/request/passage.ts';
import { isScrape, planScrape } from '../../../../src/request/forward/scrape/plan.ts';
import type { ScrapePlan } from '../../../../src/request/forward/scrape/plan.ts';
import { configOf, upstreamOf } from '../../../support/config-fixture.ts';

const SETTINGS: ScrapeSettings = { compression: 'auto', compressionLevel: 1, share: 'identity', maxAgeMs: 5000 };

function passageOf(upstream: Partial<Upstream>, changes: Partial<Passage> = {}): Passage {
  return {
    config: configOf(),
    upstream: upstreamOf({ scrape: SETTINGS, ...upstream }),
    target: { method: 'GET', path: '/federate', query: 'match[]=up' },
    kindPath: '/federate',
    identity: { name: 'me', label: 'me', user: 'me', certificate: null, claim: { kind: 'open' } },
    ...changes,
  } as Passage;
}

function plan(
  upstream: Partial<Upstream> = {},
  headers: Record<string, string> = {},
  changes: Partial<Passage> = {},
): ScrapePlan {
  const written = { 'x-promgate-user': 'me', ...headers };
  return planScrape(passageOf(upstream, changes), '/federate', written, headers['accept-encoding']);
}

const at = (host: string): Partial<Upstream> => ({
  address: { kind: 'http', origin: `http://${host}:9090`, host, port: 9090 },
});

describe('the scrape path', () => {
  it.each([
    ['GET', '/federate', true],
    ['GET', '/metrics', true],
    ['HEAD', '/metrics', false],
    ['POST', '/federate', false],
    ['GET', '/metrics/job/a', false],
    ['GET', '/probe', false],
  ])('%s %s: %s', (method, kindPath, expected) => {
    expect(isScrape({ target: { method, path: '/x', query: '' }, kindPath })).toBe(expected);
  });
});

describe('compression: auto', () => {
  it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]'])('is the gate for %s', (host) => {
    expect(plan(at(host), { 'accept-encoding': 'gzip' })).toMatchObject({
      encoding: 'gzip',
      headers: { 'accept-encoding': 'identity' },
    });
  });

  it('is the gate for a unix socket and for itself', () => {
    for (const address of [{ kind: 'unix', socketPath: '/s' }, { kind: 'self' }] as const) {
      expect(plan({ address }, { 'accept-encoding': 'gzip' }).encoding).toBe('gzip');
    }
  });

  it.each(['10.0.0.1', 'prometheus.example.com', '::2', '128.0.0.1', '1.127.0.1', '127.example.com', '0127.0.0.1'])(
    'is the upstream for %s',
    (host) => {
      expect(plan(at(host), { 'accept-encoding': 'gzip' })).toMatchObject({
        encoding: null,
        headers: { 'accept-encoding': 'gzip' },
      });
    },
  );
});

describe('the key', () => {
  it('has no secret of the upstream in it', () => {
    const { key, headers } = plan({}, { authorization: 'Bearer hunter2' });
    expect(headers['authorization']).toBe('Bearer hunter2');
    expect(key).not.toContain('hunter2');
  });

  it('is the same for clients that differ in what describes them', () => {
    const one = plan({}, { 'user-agent': 'a', 'x-forwarded-for': '10.0.0.1', traceparent: '1', tracestate: '1' });
    const two = plan({}, { 'user-agent': 'b', 'x-forwarded-for': '10.0.0.2', traceparent: '2', tracestate: '2' });
    expect(one.key).not.toBeNull();
    expect(one.key).toBe(two.key);
  });

  it('is the same for headers in another order, as the HTTP/2 client of Prometheus sends them', () => {
    const ordered = { accept: 'text/plain', 'x-prometheus-scrape-timeout-seconds': '10' };
    const reversed = Object.fromEntries(Object.entries(ordered).reverse());
    expect(plan({}, reversed).key).toBe(plan({}, ordered).key);
  });

  it('is the same for time-outs that are clamped to the same', () => {
    const key = (seconds: string) => plan({}, { 'x-prometheus-scrape-timeout-seconds': seconds }).key;
    expect(key('0.001')).toBe(key('0.1'));
    expect(key('garbage')).toBe(plan().key);
    expect(key('10')).not.toBe(key('11'));
  });

  it.each([
    ['a range', { range: 'bytes=0-1' }],
    ['a condition', { 'if-modified-since': 'now' }],
  ])('is missing for a request with %s', (_what, headers) => {
    expect(plan({}, headers)).toMatchObject({ key: null, maxAgeMs: 0 });
  });

  it('is missing for a question with a body, and with share: off', () => {
    const question = { method: 'POST', query: '', body: Buffer.from('a'), enforced: 'a', filter: null } as const;
    expect(plan({}, {}, { question })).toMatchObject({ key: null, maxAgeMs: 0 });
    expect(plan({ scrape: { ...SETTINGS, share: 'off' } })).toMatchObject({ key: null, maxAgeMs: 0 });
  });
});

it('an age is for federations only', () => {
  expect(plan().maxAgeMs).toBe(5000);
  expect(plan({}, {}, { kindPath: '/metrics' }).maxAgeMs).toBe(0);
});
