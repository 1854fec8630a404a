/** A real Prometheus on a free port with a data directory of its own. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { poll } from './poll.ts';
import { findProgram } from './programs.ts';
import type { RunningProcess } from './processes.ts';
import { startServerProcess } from './server-process.ts';

export interface PrometheusOptions {
  /** YAML: the list under `scrape_configs`. The default scrapes nothing. `${port}` becomes its own port. */
  readonly scrapeConfigs?: string;
  /** A whole file of rules. */
  readonly rules?: string;
  /** Which binary; one of `prometheusPrograms()`. */
  readonly program?: string;
  readonly argv?: readonly string[];
  /** Take this port and data directory again, as a restarted server does. */
  readonly port?: number;
  readonly directory?: string;
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: string;
}

export interface Prometheus {
  readonly url: string;
  readonly port: number;
  readonly directory: string;
  readonly process: RunningProcess;
  /** An instant query. */
  query(expression: string): Promise<Sample[]>;
  /** Polls an instant query until it has a result. */
  waitFor(expression: string, deadlineMs?: number): Promise<Sample[]>;
  /** The scrape state of each active target, by job. */
  targets(): Promise<{ job: string; health: string; lastError: string }[]>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const GLOBAL = 'global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1m}\n';

function indent(text: string): string {
  return text.replace(/^\n+/, '').trimEnd().replace(/^/gm, '  ');
}

async function getData(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const body = (await response.json()) as { status: string; data: unknown; error?: string };
  if (body.status !== 'success') throw new Error(body.error ?? `${url} answered ${response.status}`);
  return body.data;
}

/** Debian's Prometheus looks for its pages where its package would be installed, also when it is only unpacked. */
function pagesOf(command: string): string[] {
  const pages = join(dirname(command), '../share/prometheus/web');
  return existsSync(pages) ? [`--web.local-assets=${pages}/`] : [];
}

export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'promgate-prometheus-')));
  const configFile = join(directory, 'prometheus.yml');
  const scrapeConfigs = options.scrapeConfigs === undefined ? ' []' : `\n${indent(options.scrapeConfigs)}`;
  const command = options.program ?? findProgram('prometheus');
  const server = await startServerProcess({
    command,
    argv: (port) => [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...pagesOf(command),
      '--log.level=warn',
      ...(options.argv ?? []),
    ],
    readyPath: '/-/ready',
    ...(options.port === undefined ? {} : { port: options.port }),
    prepare: async (port) => {
      if (options.rules !== undefined) await writeFile(join(directory, 'rules.yml'), options.rules);
      const rules = options.rules === undefined ? '' : 'rule_files: [rules.yml]\n';
      const config = `${GLOBAL}${rules}scrape_configs:${scrapeConfigs}\n`;
      await writeFile(configFile, config.replaceAll('${port}', String(port)));
    },
  });

  const query = async (expression: string): Promise<Sample[]> => {
    const data = await getData(`${server.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { result } = data as { result: { metric: Record<string, string>; value: [number, string] }[] };
    return result.map(({ metric, value }) => ({ metric, value: value[1] }));
  };
  return {
    ...server,
    directory,
    query,
    waitFor: (expression, deadlineMs = 20_000) =>
      poll(
        `samples of ${expression}`,
        async () => {
          const samples = await query(expression);
          return samples.length > 0 && samples;
        },
        { deadlineMs, everyMs: 100 },
      ),
    async targets() {
      const data = await getData(`${server.url}/api/v1/targets?state=active`);
      const { activeTargets } = data as {
        activeTargets: { labels: { job: string }; health: string; lastError: string }[];
      };
      return activeTargets.map(({ labels, health, lastError }) => ({ job: labels.job, health, lastError }));
    },
    async stop() {
      await server.process.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
