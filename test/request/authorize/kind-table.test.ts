import { describe, expect, it } from 'vitest';
import { parsePathPattern } from '../../../src/formats/path-pattern.ts';
import type { EndpointGrant } from '../../../src/config/config.ts';
import { judgeKind } from '../../../src/request/authorize/kind-table.ts';
import { ENDPOINTS } from '../../../src/request/endpoints.ts';
import { upstreamOf } from '../../support/config-fixture.ts';

const prometheus = upstreamOf();
const exporter = upstreamOf({ kind: 'exporter' });

function grant(path: string, ...methods: string[]): EndpointGrant {
  const pattern = parsePathPattern(path);
  if (!pattern.ok) throw new Error(pattern.message);
  return { path: pattern.value, methods };
}

describe('judgeKind', () => {
  it('allows every row of the table with every method it lists, in the class it lists', () => {
    for (const kind of ['prometheus', 'exporter'] as const) {
      for (const endpoint of ENDPOINTS[kind]) {
        const path = endpoint.path.replace('**', 'a/b.js').replace('*', 'job');
        for (const method of endpoint.methods) {
          const verdict = judgeKind(upstreamOf({ kind }), method, path);
          expect(verdict, `${method} ${path}`).toMatchObject({ kind: 'allowed' });
        }
      }
    }
  });

  it.each([
    ['POST', '/api/v1/admin/tsdb/delete_series'],
    ['POST', '/api/v1/admin/tsdb/snapshot'],
    ['PUT', '/api/v1/admin/tsdb/clean_tombstones'],
    ['POST', '/-/quit'],
    ['PUT', '/-/reload'],
    ['POST', '/api/v1/read'],
    ['POST', '/api/v1/write'],
    ['POST', '/api/v1/otlp/v1/metrics'],
    ['GET', '/debug/pprof/heap'],
    ['GET', '/api/v1/a_path_of_tomorrow'],
    ['GET', '/federate/'],
    ['GET', '/Federate'],
    ['GET', '/api/v1/label//values'],
    ['GET', '/api/v1/label/a/b/values'],
    ['GET', '/static/'],
  ])('does not know %s %s', (method, path) => {
    expect(judgeKind(prometheus, method, path)).toEqual({ kind: 'unknown' });
  });

  it('says which methods a listed path has', () => {
    expect(judgeKind(prometheus, 'POST', '/federate')).toEqual({ kind: 'wrongMethod', allow: ['GET'] });
    expect(judgeKind(prometheus, 'DELETE', '/api/v1/series')).toEqual({ kind: 'wrongMethod', allow: ['GET', 'POST'] });
    expect(judgeKind(prometheus, 'HEAD', '/metrics')).toEqual({ kind: 'wrongMethod', allow: ['GET'] });
  });

  it('keeps the rest of Prometheus away from an exporter', () => {
    expect(judgeKind(exporter, 'GET', '/metrics')).toEqual({ kind: 'allowed', class: 'scrape' });
    expect(judgeKind(exporter, 'GET', '/probe')).toEqual({ kind: 'allowed', class: 'scrape' });
    expect(judgeKind(exporter, 'GET', '/federate')).toEqual({ kind: 'unknown' });
    expect(judgeKind(exporter, 'GET', '/debug/pprof/')).toEqual({ kind: 'unknown' });
  });

  it('widens only by also_allow, for exactly the methods named there', () => {
    const open = upstreamOf({ alsoAllow: [grant('/api/v1/write', 'POST'), grant('/debug/*')] });
    expect(judgeKind(open, 'POST', '/api/v1/write')).toEqual({ kind: 'allowed', class: 'also_allow' });
    expect(judgeKind(open, 'GET', '/api/v1/write')).toEqual({ kind: 'wrongMethod', allow: ['POST'] });
    expect(judgeKind(open, 'GET', '/debug/pprof/heap')).toEqual({ kind: 'allowed', class: 'also_allow' });
    expect(judgeKind(open, 'POST', '/api/v1/read')).toEqual({ kind: 'unknown' });
  });

  it('allows everything for the kind any', () => {
    expect(judgeKind(upstreamOf({ kind: 'any' }), 'PURGE', '/x')).toEqual({ kind: 'allowed', class: 'any' });
  });
});
