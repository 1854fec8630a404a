/**
 * A Prometheus that holds a given number of series and scrapes no more: filled once from a static page whose samples
 * carry a time of their own, so that nothing marks them stale when the scraping ends.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent } from 'node:http';
import { seriesPage } from '../exposition.ts';
import { fetchOnce } from '../load.ts';
import type { Lab } from '../lab.ts';
import type { Peer } from './peer.ts';
import { startPrometheus } from './prometheus.ts';

export const EVERYTHING = `/federate?match[]=${encodeURIComponent('{__name__=~".+"}')}`;

export interface FilledOptions {
  readonly name: string;
  readonly program: string;
  readonly series: number;
  readonly core: string;
}

const FILL_MS = 60_000;

export async function startFilled(lab: Lab, { name, program, series, core }: FilledOptions): Promise<Peer> {
  const page = `series-${series}`;
  await writeFile(join(lab.directory, page), seriesPage(series, Date.now()));
  const { host } = new URL(lab.upstream);
  // Half a million series take some seconds to come in.
  const seconds = Math.max(2, Math.ceil(series / 50_000));
  const server = await startPrometheus(lab, {
    name,
    program,
    core,
    argv: ['--query.lookback-delta=2h', '--web.enable-lifecycle'],
    configuration: `scrape_configs:
  - job_name: fill
    scrape_interval: ${seconds}s
    scrape_timeout: ${seconds}s
    honor_labels: true
    metrics_path: /federate
    params: {page: [${page}]}
    static_configs: [{targets: ["${host}"]}]
`,
  });
  try {
    await untilFilled(server.url, series);
    await server.reconfigure('scrape_configs: []');
    await fetch(`${server.url}/-/reload`, { method: 'POST' });
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function untilFilled(url: string, series: number): Promise<void> {
  const deadline = performance.now() + FILL_MS;
  const agent = new Agent({ keepAlive: true });
  for (;;) {
    const query = encodeURIComponent('prometheus_tsdb_head_series');
    const { body } = await fetchOnce({ url: `${url}/metrics?${query}`, authorization: '', agent });
    const head = Number(/^prometheus_tsdb_head_series (\S+)$/m.exec(body.toString())?.[1] ?? 0);
    if (head >= series) break;
    if (performance.now() > deadline) throw new Error(`only ${head} of ${series} series came in`);
    await delay(100);
  }
  agent.destroy();
}
