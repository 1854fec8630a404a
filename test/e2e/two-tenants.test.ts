/**
 * One Prometheus with two tenants behind the gate: a dashboard and a federation job of one of them work as if there were
 * no other, by password and by certificate. Whatever comes back, no word of the other tenant is in it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prometheusPrograms } from '../support/programs.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { PASSWORD } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { ALPHA, as, leaks, PICKY, startTenantScene, startTwoTenants } from '../support/two-tenants.ts';
import type { TwoTenants } from '../support/two-tenants.ts';

describe.each(prometheusPrograms())('$name with two tenants', ({ path: program }) => {
  let tenants: TwoTenants;
  let scene: Scene;
  let central: Prometheus;

  beforeAll(async () => {
    tenants = await startTwoTenants(program);
    scene = await startTenantScene(tenants);
    const everything = '{"match[]": ["{__name__=~\\".+\\"}"]}';
    const { authority, client, gate } = scene;
    const job = (name: string, path: string, who: string): string => `
- job_name: ${name}
  honor_labels: true
  metrics_path: ${path}
  params: ${path === '/federate' ? everything : '{}'}
  scheme: https
  ${who}
  static_configs: [{targets: ["127.0.0.1:${String(gate.port)}"], labels: {job: ${name}, through: ${name}}}]
`;
    const ca = `ca_file: ${authority.certFile}, server_name: localhost`;
    const password = (user: string): string =>
      `basic_auth: {username: ${user}, password: ${PASSWORD}}\n  tls_config: {${ca}}`;
    central = await startPrometheus({
      program,
      scrapeConfigs:
        job('by-password', '/federate', password(ALPHA)) +
        job(
          'by-certificate',
          '/federate',
          `tls_config: {${ca}, cert_file: ${client.certFile}, key_file: ${client.keyFile}}`,
        ) +
        job('by-selectors', '/federate', password(PICKY)) +
        job('node', '/node/metrics', password(ALPHA)) +
        job('gate', '/gate/metrics', password(ALPHA)),
    });
  });

  afterAll(async () => {
    await central.stop();
    await scene.stop();
    await tenants.stop();
  });

  it('is federated as far as the identity may see, by password and by certificate', async () => {
    for (const through of ['by-password', 'by-certificate', 'by-selectors', 'node']) {
      const [sample] = await central.waitFor(`only_alpha{through="${through}"}`);
      expect(sample?.value).toBe('7');
    }
    await central.waitFor('latency_seconds_bucket{through="node",le="+Inf"}');
    const names = new Set(
      (await central.query('{through="by-selectors",tenant="alpha"}')).map(({ metric }) => metric['__name__']),
    );
    expect(names).toEqual(new Set(['up', 'only_alpha', 'requests_total']));
    const all = await central.query('{__name__=~".+"}');
    expect(all.length).toBeGreaterThan(20);
    expect(JSON.stringify(all)).not.toMatch(/beta|42424[23]/);
  });

  it('has healthy targets at the centre, an empty page among them', async () => {
    await central.waitFor('up{through="gate"} == 1');
    for (const target of await central.targets()) expect(target).toMatchObject({ health: 'up', lastError: '' });
  });

  it('serves a dashboard: explore, template variables, panels, alerts', async () => {
    const ask = async (path: string, ...argv: string[]): Promise<{ data: unknown }> => {
      const answer = await scene.askAsStranger(path, ...as(ALPHA), ...argv);
      expect(answer.status, `${path}: ${answer.body}`).toBe(200);
      expect(leaks(answer), path).toBe(false);
      const body = JSON.parse(answer.body) as { status: string; data: unknown };
      expect(body.status).toBe('success');
      return body;
    };
    const post = (path: string, ...pairs: string[]) =>
      ask(path, ...pairs.flatMap((pair) => ['--data-urlencode', pair]));
    const now = Math.floor(Date.now() / 1000);
    const range = [`start=${String(now - 600)}`, `end=${String(now)}`];

    // "Save & test" of the data source.
    expect((await post('/api/v1/query', 'query=1+1', 'time=4')).data).toMatchObject({ resultType: 'scalar' });
    const { data: names } = await ask(`/api/v1/label/__name__/values?${range.join('&')}`);
    expect(names).toContain('only_alpha');
    const { data: labels } = await post('/api/v1/labels', ...range, 'match[]=requests_total');
    expect(labels).toContain('zone');
    const { data: zones } = await ask(`/api/v1/label/zone/values?${range.join('&')}&match[]=requests_total`);
    expect(zones).toEqual(['alpha-zone']);
    expect((await ask('/api/v1/label/tenant/values')).data).toEqual(['alpha']);
    const { data: series } = await post('/api/v1/series', ...range, 'match[]=requests_total{code="500"}');
    expect(series).toHaveLength(1);

    for (const query of [
      'up',
      'sum(up)',
      'sum by (tenant) (requests_total)',
      'count({__name__=~".+"})',
      'rate(requests_total[1m])',
      'requests_total / on(zone) group_left() sum by (zone) (requests_total)',
      'histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[1m])))',
      'max_over_time(sum(only_beta)[1m:5s]) or only_alpha',
      'up{tenant="beta"} or up{tenant!="alpha"} or absent(only_beta)',
      'topk(5, {__name__=~"only_.+"})',
      'label_replace(up, "who", "$1", "tenant", "(.*)")',
      'ALERTS',
    ]) {
      await post('/api/v1/query_range', `query=${query}`, ...range, 'step=15');
      await post('/api/v1/query', `query=${query}`, `time=${String(now)}`);
    }
    const { data: sum } = await post('/api/v1/query', 'query=sum(only_alpha) + sum(requests_total)');
    expect(sum).toMatchObject({ result: [{ value: [expect.any(Number), '22'] }] });
    expect((await post('/api/v1/query_exemplars', 'query=requests_total', ...range)).data).toEqual([]);

    const rules = JSON.stringify(await ask('/api/v1/rules'));
    for (const name of ['AlphaAlways', 'alpha:up:sum', 'alpha:other:sum']) expect(rules).toContain(name);
    expect(rules).not.toContain('AnyAlways');
    expect(JSON.stringify(await ask('/api/v1/alerts'))).toContain('AnyAlways');
    const { data: targets } = await ask('/api/v1/targets');
    expect(targets).toMatchObject({
      activeTargets: [{ scrapePool: 'job-alpha', discoveredLabels: {}, health: 'up' }],
      droppedTargets: [],
    });
  });
});
