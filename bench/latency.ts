/** What a well-behaved scraper notices: its latencies while nothing else happens, and under a load. */
import { Agent as HttpAgent } from 'node:http';
import { milliseconds, percentile, median } from './figures.ts';
import { scrapeFor } from './load.ts';
import type { Lab } from './lab.ts';
import type { Verdict } from './rows/row.ts';

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
}

export interface Compared {
  readonly quiet: Latency;
  readonly loaded: Latency;
}

export interface Scraping {
  /** A connection for each scrape. */
  readonly isFresh?: boolean;
  readonly everyMs?: number;
}

/** A good scraper, over one connection unless it is told otherwise, for some seconds. */
export async function latencyOf(lab: Lab, url: string, seconds: number, scraping: Scraping = {}): Promise<Latency> {
  const keepAlive = scraping.isFresh !== true;
  const agent = url.startsWith('http://') ? new HttpAgent({ keepAlive }) : lab.agent({ keepAlive });
  const options = { url, authorization: lab.authorization, agent, timeoutMs: 10_000 };
  const { latencies, failures } = await scrapeFor(options, seconds, scraping.everyMs);
  agent.destroy();
  return { p50: percentile(latencies, 50), p99: percentile(latencies, 99), failures };
}

/** The medians of several rounds; what was not answered in any of them. */
export function medianOf(rounds: readonly Latency[]): Latency {
  return {
    p50: median(rounds.map(({ p50 }) => p50)),
    p99: median(rounds.map(({ p99 }) => p99)),
    failures: rounds.reduce((sum, { failures }) => sum + failures, 0),
  };
}

const FACTOR = 2;

/** The goal under every load: a good scraper is answered, and hardly later than without. */
export function calm(what: string, { quiet, loaded }: Compared): Verdict {
  const lost = loaded.failures === 0 ? '' : `, ${loaded.failures} not answered`;
  return {
    goal: `p99 ≤ ${FACTOR} × quiet, every scrape answered${what === '' ? '' : ` (${what})`}`,
    measured: `${milliseconds(loaded.p99)}, quiet ${milliseconds(quiet.p99)}${lost}`,
    met: loaded.p99 <= FACTOR * quiet.p99 && loaded.failures === 0,
  };
}
