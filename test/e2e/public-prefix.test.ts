/** A real Prometheus that knows its public path, behind `strip_prefix`: its redirects lead to where it is. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

let prometheus: Prometheus;
let scene: Scene;
beforeAll(async () => {
  prometheus = await startPrometheus({
    argv: ['--web.external-url=https://gate.example.com/prom', '--web.route-prefix=/'],
  });
  scene = await startScene({
    yaml: `upstreams: [{url: "${prometheus.url}", path_prefix: /prom, strip_prefix: true}]`,
  });
});
afterAll(async () => {
  await scene.stop();
  await prometheus.stop();
});

test('a redirect has the public prefix once', async () => {
  const { status, headers } = await scene.ask('/prom/');
  expect(status).toBe(302);
  expect(headers['location']).toMatch(/^\/prom\/(?!prom)/);
  expect((await scene.ask(String(headers['location']))).status).toBe(200);
});
