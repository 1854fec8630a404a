/**
 * Two real Prometheus with the same series of one tenant, of which one has another tenant's as well: whatever the two
 * answer differently is what the other tenant leaks. Samples at a fixed time, so that answers can be compared.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from './processes.ts';
import { findProgram } from './programs.ts';
import { startPrometheus } from './prometheus.ts';
import type { Prometheus } from './prometheus.ts';
import type { Vocabulary } from './promql-corpus.ts';

/** Seconds: the evaluation time of every query; samples are older. */
export const NOW = 1_700_000_600;
const SAMPLES = 40;
const EVERY = 15;

/** In every series of the other tenant, and in no query. */
export const SECRET = 'zq7marker';

/** What imitates matchers, ends strings, or begins comments for a careless reader. */
const NOTES = [
  'plain',
  'x",tenant="t2',
  "it's",
  '{tenant="t1"}',
  'a#b',
  'two\nlines',
  'back`tick',
  'é😀',
  '\\',
  '} or up{',
];
const JOBS = ['api', 'db'];
const METRICS = [
  'up',
  'requests_total',
  'temperature',
  'job:rate5m',
  'sum',
  'by',
  'start',
  'ALERTS',
  'target_info',
  'rate',
];

export const WORDS: Omit<Vocabulary, 'newest'> = {
  metrics: [...METRICS.map((name) => (name === 'by' ? 'up' : name)), 'only_t2', 'nowhere'],
  histograms: ['seconds_bucket'],
  labels: { tenant: ['t1', 't2'], job: JOBS, zone: ['a', 'b'], note: NOTES, alertstate: ['firing'], marker: ['none'] },
};

function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

function seriesText(name: string, labels: Readonly<Record<string, string>>, value: (step: number) => number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}=${quoted(text)}`);
  return Array.from({ length: SAMPLES }, (_, step) => {
    const time = NOW - (SAMPLES - step) * EVERY;
    return `${name}{${pairs.join(',')}} ${value(step)} ${time}\n`;
  }).join('');
}

/** OpenMetrics without `# EOF`. The other tenant's numbers are larger by far. */
function tenantText(tenant: 't1' | 't2'): string {
  const own = tenant === 't1' ? { marker: 'none' } : { marker: SECRET };
  const factor = tenant === 't1' ? 1 : 65_537;
  const lines: string[] = [];
  for (const [place, name] of METRICS.entries()) {
    for (const [at, note] of NOTES.entries()) {
      const labels = { tenant, job: JOBS[at % 2]!, zone: at % 3 === 0 ? 'a' : 'b', note, ...own };
      lines.push(seriesText(name, labels, (step) => factor * (place * 8 + at + step * (1 + (at % 4)))));
    }
  }
  for (const le of ['0.1', '1', '+Inf']) {
    const labels = { tenant, job: 'api', zone: 'a', le, ...own };
    lines.push(seriesText('seconds_bucket', labels, (step) => factor * step * (le === '0.1' ? 1 : le === '1' ? 3 : 4)));
  }
  if (tenant === 't2') lines.push(seriesText('only_t2', { tenant, job: 'api', ...own }, (step) => factor + step));
  return lines.join('');
}

export interface TenantPair {
  /** With both tenants. */
  readonly both: Prometheus;
  /** With the first one's series only. */
  readonly alone: Prometheus;
  stop(): Promise<void>;
}

async function writeBlocks(directory: string, text: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'samples.txt');
  await writeFile(file, `${text}# EOF\n`);
  const argv = ['tsdb', 'create-blocks-from', 'openmetrics', file, join(directory, 'data')];
  const promtool = startProcess(findProgram('promtool'), argv);
  const { code } = await promtool.exited;
  if (code !== 0) throw new Error(`promtool failed:\n${promtool.output()}`);
}

/** @param program one of `prometheusPrograms()` */
export async function startTenantPair(program: string, newest: boolean): Promise<TenantPair> {
  const directory = await mkdtemp(join(tmpdir(), 'promgate-tenants-'));
  const mine = tenantText('t1');
  // A random query must not become the machine's problem.
  const bounds = ['--query.timeout=5s', '--query.max-samples=1000000', '--query.max-concurrency=4'];
  const argv = newest ? [...bounds, '--enable-feature=promql-experimental-functions'] : bounds;
  const start = async (name: string, text: string): Promise<Prometheus> => {
    const home = join(directory, name);
    await writeBlocks(home, text);
    return startPrometheus({ program, directory: home, argv });
  };
  const [both, alone] = await Promise.all([start('both', mine + tenantText('t2')), start('alone', mine)]);
  return {
    both,
    alone,
    async stop() {
      await Promise.all([both.stop(), alone.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
