/** Pages of exporters as a real Prometheus reads them: one target a page, scraped at least once. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { poll } from './poll.ts';
import { startPrometheus } from './prometheus.ts';

export type Series = Readonly<Record<string, string>>;

export interface Page {
  readonly body: string | Buffer;
  readonly contentType: string;
}

/** What Prometheus says of the scrape itself. */
const OF_SCRAPES = /^(?:up|scrape_.*)$/;

const OF_TARGETS: ReadonlySet<string> = new Set(['page', 'job', 'instance']);
/** A scrape that a busy machine has spoiled says nothing of the page. */
const SPOILED = /context|dial|read tcp/;

/** @returns for each page what Prometheus has read of it; null: the scrape failed. */
export async function scrapedPages(program: string, pages: readonly Page[]): Promise<(readonly Series[] | null)[]> {
  const exporter = createServer((request, response) => {
    const page = pages[Number((request.url ?? '').slice(1))];
    if (page === undefined) throw new Error(`no page ${request.url ?? ''}`);
    response.setHeader('Content-Type', page.contentType);
    response.end(page.body);
  }).listen(0, '127.0.0.1');
  await once(exporter, 'listening');
  const address = `127.0.0.1:${String((exporter.address() as AddressInfo).port)}`;
  const targets = pages.map(
    (_, at) => `  - {targets: ["${address}"], labels: {__metrics_path__: /${String(at)}, page: "p${String(at)}"}}\n`,
  );
  const prometheus = await startPrometheus({
    program,
    scrapeConfigs: `- job_name: pages
  honor_labels: true
  honor_timestamps: false
  scrape_interval: 2s
  scrape_timeout: 2s
  static_configs:
${targets.join('')}`,
  });
  try {
    const read = async <T>(path: string): Promise<T> => {
      const response = await fetch(prometheus.url + path);
      return ((await response.json()) as { data: T }).data;
    };
    const health = await poll(
      'a scrape of every page',
      async () => {
        const { activeTargets } = await read<{
          activeTargets: { labels: Series; health: string; lastError: string }[];
        }>('/api/v1/targets?state=active');
        const found = new Map(activeTargets.map(({ labels, ...rest }) => [labels['page'], rest]));
        return (
          activeTargets.length === pages.length &&
          activeTargets.every(({ health, lastError }) => health !== 'unknown' && !SPOILED.test(lastError)) &&
          found
        );
      },
      { deadlineMs: 60_000, everyMs: 200 },
    );
    const series = await read<Series[]>(`/api/v1/series?match[]=${encodeURIComponent('{page!=""}')}`);
    return pages.map((_, at) => {
      const page = `p${String(at)}`;
      if (health.get(page)?.health !== 'up') return null;
      return series
        .filter((labels) => labels['page'] === page && !OF_SCRAPES.test(labels['__name__'] ?? ''))
        .map((labels) => Object.fromEntries(Object.entries(labels).filter(([name]) => !OF_TARGETS.has(name))));
    });
  } finally {
    await prometheus.stop();
    exporter.closeAllConnections();
    exporter.close();
  }
}
