/**
 * A real Prometheus with the series of two tenants, and a gate in front of it behind which some identities may see one of
 * them. Everything of the tenant `beta` carries the word `beta`: an answer with that word in it is a leak.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { startPrometheus } from './prometheus.ts';
import type { Prometheus } from './prometheus.ts';
import { htpasswdLine, PASSWORD, startScene } from './scene.ts';
import type { Scene } from './scene.ts';

/** May see the tenant alpha, by label. */
export const ALPHA = 'alpha';
/** May see alpha, by a list of two selectors. */
export const PICKY = 'picky';
/** May see everything. */
export const OWNER = 'owner';

export interface TwoTenants {
  readonly prometheus: Prometheus;
  /** The exporter of both tenants, `/alpha` and `/beta`, and `/both` with the two pages in one. */
  readonly exporterUrl: string;
  stop(): Promise<void>;
}

const RULES = `
groups:
  - name: of alpha
    interval: 1s
    rules:
      - {record: "alpha:up:sum", expr: 'sum(up{tenant="alpha"})', labels: {tenant: alpha}}
      - {alert: AlphaAlways, expr: 'up{tenant="alpha"} == 1', labels: {tenant: alpha}}
  - name: of beta
    interval: 1s
    rules:
      - {record: "beta:up:sum", expr: 'sum(up{tenant="beta"})', labels: {tenant: beta}}
      - {alert: BetaAlways, expr: 'up{tenant="beta"} == 1', labels: {tenant: beta}}
  - name: of both
    interval: 1s
    rules:
      - {record: "alpha:other:sum", expr: 'sum(requests_total{tenant="alpha"})', labels: {tenant: alpha}}
      - {alert: AnyAlways, expr: 'up == 1', annotations: {about: "anything"}}
`;

function page(tenant: string, label: string): string {
  const value = tenant === 'beta' ? 424242 : 7;
  return `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200",zone="${tenant}-zone"${label}} ${String(value)}
requests_total{code="500",zone="${tenant}-zone"${label}} ${String(value + 1)}
# HELP only_${tenant} Of ${tenant}.
# TYPE only_${tenant} gauge
only_${tenant}{who="${tenant}"${label}} ${String(value)}
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1",zone="${tenant}-zone"${label}} 1
latency_seconds_bucket{le="+Inf",zone="${tenant}-zone"${label}} 3
latency_seconds_sum{zone="${tenant}-zone"${label}} 1.5
latency_seconds_count{zone="${tenant}-zone"${label}} 3
`;
}

async function startExporter(): Promise<Server> {
  const exporter = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    if (path === '/metrics') response.end(page('alpha', ',tenant="alpha"') + page('beta', ',tenant="beta"'));
    else response.end(page(path.slice(1), ''));
  }).listen(0, '127.0.0.1');
  await once(exporter, 'listening');
  return exporter;
}

export async function startTwoTenants(program?: string): Promise<TwoTenants> {
  const exporter = await startExporter();
  const exporterPort = (exporter.address() as AddressInfo).port;
  const job = (tenant: string): string => `
- job_name: job-${tenant}
  metrics_path: /${tenant}
  static_configs: [{targets: ["127.0.0.1:${String(exporterPort)}"], labels: {tenant: ${tenant}}}]
`;
  const prometheus = await startPrometheus({
    scrapeConfigs: job('alpha') + job('beta'),
    rules: RULES,
    ...(program === undefined ? {} : { program }),
  });
  for (const tenant of ['alpha', 'beta']) {
    await prometheus.waitFor(`only_${tenant}{tenant="${tenant}"}`);
    await prometheus.waitFor(`ALERTS{tenant="${tenant}",alertstate="firing"}`);
  }
  return {
    prometheus,
    exporterUrl: `http://127.0.0.1:${String(exporterPort)}`,
    async stop() {
      await prometheus.stop();
      exporter.closeAllConnections();
      exporter.close();
    },
  };
}

/** A gate in front of them; the client certificate `central` of the scene is alpha too. */
export async function startTenantScene({ prometheus, exporterUrl }: TwoTenants, yaml = ''): Promise<Scene> {
  const users = await Promise.all([ALPHA, PICKY, OWNER].map((user) => htpasswdLine(user, PASSWORD)));
  return startScene({
    files: { '.htpasswd': users.join('') },
    yaml: `
authenticate: either
upstreams:
  - url: "${prometheus.url}"
    also_allow: [{path: /api/v1/read, methods: [POST]}, {path: /api/v1/admin/*, methods: ["*"]}]
  - {url: "${exporterUrl}", kind: exporter, path_prefix: /node, strip_prefix: true}
  - {url: self, path_prefix: /gate, strip_prefix: true}
identities:
  - {name: ${ALPHA}, password_users: [${ALPHA}], certificates: [{san: central}], labels: {tenant: alpha}}
  - {name: ${PICKY}, match: ['{tenant="alpha",__name__=~"up|only_.+"}', 'requests_total{tenant="alpha"}'], exporter_page: refuse}
  - {name: ${OWNER}, paths: ["@scrape", "@query", "@ui", "@internals", /node/*, /gate/*]}
${yaml}`,
  });
}

/** Arguments for `Scene.askAsStranger`. */
export function as(user: string): readonly string[] {
  return ['-u', `${user}:${PASSWORD}`];
}

/** What must not be in an answer to alpha, headers included. */
export function leaks({ body, headers }: { readonly body: string; readonly headers: object }): boolean {
  return /beta|42424[23]/i.test(body + JSON.stringify(headers));
}
