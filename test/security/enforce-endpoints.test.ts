/**
 * The attack: ask where nothing narrows the answer. `/api/v1/metadata`, `status/*`, the discovered labels of targets, the
 * consoles and the pages of the web interface speak of everybody; remote read takes its selectors in a protobuf; a query
 * of an identity with several selectors would need `or`, which is not their union. What is not in the closed list of
 * enforce/ is refused, in whatever method and spelling, and also where the operator has widened the upstream's kind.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENDPOINTS } from '../../src/request/endpoints.ts';
import { ENFORCED_ENDPOINTS } from '../../src/request/enforce/enforced-endpoints.ts';
import type { Scene } from '../support/scene.ts';
import { ALPHA, as, leaks, OWNER, PICKY, startTenantScene, startTwoTenants } from '../support/two-tenants.ts';
import type { TwoTenants } from '../support/two-tenants.ts';

let tenants: TwoTenants;
let scene: Scene;

beforeAll(async () => {
  tenants = await startTwoTenants();
  scene = await startTenantScene(tenants);
});

afterAll(async () => {
  await scene.stop();
  await tenants.stop();
});

const ask = (path: string, ...argv: string[]) => scene.askAsStranger(path, ...as(ALPHA), ...argv);
const narrowed = new Set(ENFORCED_ENDPOINTS.prometheus.map(({ path }) => path));

describe('a path that is not narrowed', () => {
  it('is refused, one by one of all that a Prometheus has', async () => {
    for (const { path, methods } of ENDPOINTS.prometheus) {
      if (narrowed.has(path)) continue;
      const real = path.replace('/**', '/x').replace('*', 'job');
      const answer = await ask(real, '-X', methods[0] ?? 'GET');
      // @internals is refused before, by the rules of every identity.
      expect(answer.status, real).toBe(403);
      expect(leaks(answer)).toBe(false);
    }
  });

  it('is refused where also_allow has opened it', async () => {
    for (const [path, ...argv] of [
      [
        '/api/v1/read',
        '--data-binary',
        'x',
        '-H',
        'Content-Type: application/x-protobuf',
        '-H',
        'Content-Encoding: snappy',
      ],
      ['/api/v1/admin/tsdb/snapshot', '-X', 'POST'],
      ['/api/v1/admin/tsdb/snapshot'],
    ] as const) {
      expect((await ask(path, ...argv)).status, path).toBe(403);
    }
  });

  it('is refused in every method that is not of the list', async () => {
    for (const method of ['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'POST']) {
      for (const path of ['/federate', '/metrics', '/api/v1/rules', '/api/v1/label/job/values', '/api/v1/query']) {
        if (method === 'POST' && path === '/api/v1/query') continue;
        const argv = method === 'HEAD' ? ['-I'] : ['-X', method];
        const answer = await ask(`${path}?query=up&match[]=up`, ...argv);
        expect([403, 405], `${method} ${path}`).toContain(answer.status);
      }
    }
  });

  it('is refused under the tricks of a path', async () => {
    for (const path of [
      '/api/v1/label/a%2F..%2F..%2Fstatus%2Fconfig/values',
      '/api/v1/label/../status/config/values',
      '/api/v1/label//values',
      '/api/v1/label/job/values/',
      '/api/v1/label/job/../../status/config',
      '/api/v1/query/',
      '//api/v1/query?query=up',
      '/api/v1/Query?query=up',
    ]) {
      const answer = await ask(path, '--path-as-is');
      expect([400, 403, 404], path).toContain(answer.status);
      expect(leaks(answer)).toBe(false);
    }
  });
});

describe('an identity with several selectors', () => {
  it('has no queries, and all else narrowed to the union', async () => {
    const picky = (path: string, ...argv: string[]) => scene.askAsStranger(path, ...as(PICKY), ...argv);
    for (const path of ['query', 'query_range', 'query_exemplars']) {
      for (const argv of [[], ['-X', 'POST']]) {
        const answer = await picky(`/api/v1/${path}?query=up&start=0&end=1&step=1`, ...argv);
        expect(answer.status).toBe(403);
        expect(answer.body).toContain('queries are not available to this identity');
      }
    }
    const page = await picky('/federate?match[]={__name__=~".%2B"}');
    expect(page.status).toBe(200);
    expect(new Set(page.body.match(/^[a-z_]+(?=\{)/gm))).toEqual(new Set(['up', 'only_alpha', 'requests_total']));
    expect(leaks(page)).toBe(false);
    const values = await picky('/api/v1/label/__name__/values');
    expect(JSON.parse(values.body)).toMatchObject({ data: ['only_alpha', 'requests_total', 'up'] });
    expect((await picky('/node/metrics')).status).toBe(403);
  });
});

describe('what is narrowed', () => {
  it('never holds a word of the other tenant, whatever is asked for', async () => {
    const everything = '{__name__=~".%2B"}';
    for (const path of [
      `/federate?match[]=${everything}`,
      '/federate?match[]={tenant="beta"}',
      '/federate?match[]={tenant=~".%2B"}&match[]=only_beta',
      '/federate',
      '/api/v1/series?match[]=up&match[]={tenant="beta"}',
      `/api/v1/series?match[]=${everything}&limit=1000`,
      '/api/v1/labels',
      `/api/v1/labels?match[]=${everything}`,
      '/api/v1/label/tenant/values',
      '/api/v1/label/who/values?match[]={tenant="beta"}',
      `/api/v1/label/__name__/values?match[]=${everything}`,
      '/api/v1/label/%C3%A9/values',
      '/api/v1/rules',
      '/api/v1/rules?type=alert',
      '/api/v1/rules?rule_name[]=BetaAlways',
      '/api/v1/rules?rule_group[]=of%20beta',
      '/api/v1/alerts',
      '/api/v1/targets',
      '/api/v1/targets?state=any',
      '/api/v1/targets?state=dropped',
      '/api/v1/targets?scrapePool=job-beta',
      '/metrics',
      '/node/metrics',
      '/gate/metrics',
      `/gate/federate?match[]=${everything}`,
      '/api/v1/query?query=up',
      '/api/v1/query?query=only_beta',
      `/api/v1/query?query=${everything}`,
      '/api/v1/query_range?query=up&start=0&end=10&step=1',
      '/api/v1/query_exemplars?query=up&start=0&end=4000000000',
    ]) {
      for (const argv of [
        [],
        ['--compressed'],
        ['-H', 'Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'],
      ]) {
        const answer = await ask(path, ...argv);
        expect([200, 400, 404], `${path}: ${answer.body.slice(0, 200)}`).toContain(answer.status);
        expect(leaks(answer), `${path}: ${answer.body.slice(0, 2000)}`).toBe(false);
      }
    }
  });

  it('is all there for the tenant', async () => {
    expect((await ask('/federate?match[]={__name__=~".%2B"}')).body).toContain('only_alpha{');
    expect((await ask('/api/v1/rules')).body).toContain('alpha:other:sum');
    expect((await ask('/api/v1/rules')).body).toContain('AlphaAlways');
    expect((await ask('/api/v1/alerts')).body).toContain('AlphaAlways');
    expect((await ask('/api/v1/targets')).body).toContain('"job":"job-alpha"');
    const page = await ask('/node/metrics');
    expect(page.body).toContain('only_alpha{who="alpha",tenant="alpha"} 7');
    expect(page.body).toContain('# HELP only_alpha Of alpha.');
    expect(page.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it("is nothing of the gate's own series, which have no tenant", async () => {
    expect(await ask('/gate/metrics')).toMatchObject({ status: 200, body: '' });
    expect(await ask('/gate/federate?match[]={__name__=~"promgate_.%2B"}')).toMatchObject({ status: 200, body: '' });
    const owner = await scene.askAsStranger('/gate/metrics', ...as(OWNER));
    expect(owner.body).toContain('promgate_');
  });

  it('is the same behind a certificate', async () => {
    const { client } = scene;
    const shows = ['--cert', client.certFile, '--key', client.keyFile];
    const answer = await scene.askAsStranger('/federate?match[]={__name__=~".%2B"}', ...shows);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('only_alpha{');
    expect(leaks(answer)).toBe(false);
    expect((await scene.askAsStranger('/api/v1/status/config', ...shows)).status).toBe(403);
  });

  it('is everything for who is not restricted', async () => {
    const owner = (path: string) => scene.askAsStranger(path, ...as(OWNER));
    for (const path of [
      '/federate?match[]=up',
      '/api/v1/rules',
      '/api/v1/metadata',
      '/node/metrics',
      '/api/v1/query?query=up',
    ]) {
      expect(leaks(await owner(path)), path).toBe(true);
    }
  });
});
