/** The closed table against the route registration of real Prometheus servers: what is listed exists there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENDPOINTS } from '../../src/request/endpoints.ts';
import { prometheusPrograms } from '../support/programs.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

/** Paths that no server here has: of newer releases, or of a UI that Debian's packages leave out. */
const NOT_EVERYWHERE = new Set([
  '/api/v1/search/*',
  '/api/v1/features',
  '/api/v1/status/self_metrics',
  '/api/v1/scrape_pools/config',
  '/api/v1/targets/relabel_steps',
  // Registered from 2.53 and 3.0 on.
  '/api/v1/parse_query',
  '/api/v1/notifications',
  '/api/v1/notifications/live',
  // Folders of the operator.
  '/consoles/**',
  '/user/**',
]);

/** What the gate keeps off unless `also_allow` names it. */
const OFF_BY_DEFAULT = ['POST /-/quit', 'POST /-/reload', 'POST /api/v1/admin/tsdb/snapshot', 'POST /api/v1/read'];

describe.each(prometheusPrograms())('$name', ({ path: program }) => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    prometheus = await startPrometheus({ program });
  });
  afterAll(() => prometheus.stop());

  const ask = async (method: string, path: string): Promise<number> => {
    const controller = new AbortController();
    const response = await fetch(prometheus.url + path, {
      method,
      redirect: 'manual',
      signal: controller.signal,
    });
    controller.abort();
    return response.status;
  };

  it('has every listed path with every listed method', async () => {
    const missing: string[] = [];
    for (const { path, methods, class: endpointClass } of ENDPOINTS.prometheus) {
      if (NOT_EVERYWHERE.has(path) || endpointClass === 'ui' || path.startsWith('/classic/')) continue;
      for (const method of methods) {
        const status = await ask(method, path.replace('**', 'query').replace('*', 'job'));
        if (status === 404 || status === 405) missing.push(`${method} ${path}: ${status}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('refuses HEAD where the table does, so that the gate changes no answer', async () => {
    expect(await ask('HEAD', '/federate')).toBe(405);
    expect(await ask('HEAD', '/metrics')).toBe(405);
  });

  it('has what the gate keeps off, so that keeping it off matters', async () => {
    for (const line of OFF_BY_DEFAULT) {
      const [method = '', path = ''] = line.split(' ');
      expect(await ask(method, path), line).not.toBe(404);
    }
  });
});
