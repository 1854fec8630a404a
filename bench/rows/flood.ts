/** Guessing passwords over 16 connections: what a well-behaved scraper notices of it. */
import { checkRefusals } from '../checks.ts';
import { gates, start, stopAll } from '../contenders.ts';
import { milliseconds, percentile } from '../figures.ts';
import { flood, scrapeFor } from '../load.ts';
import type { Lab } from '../lab.ts';
import { caddy, haproxy, nginx, vmauth } from '../peers/others.ts';
import type { Peer } from '../peers/peer.ts';
import { barePrometheus } from '../peers/prometheus.ts';
import type { Row, Verdict } from './row.ts';

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
}

/** A good scraper over one connection, for some seconds. */
export async function latencyOf(lab: Lab, url: string, seconds: number): Promise<Latency> {
  const agent = lab.agent();
  const { latencies, failures } = await scrapeFor({ url, authorization: lab.authorization, agent }, seconds);
  agent.destroy();
  return { p50: percentile(latencies, 50), p99: percentile(latencies, 99), failures };
}

/** The goal of the floods: an absolute one, or twice what is normal here. */
export function calm(limitMs: number, quiet: Latency, flooded: Latency): Verdict {
  const limit = Math.max(limitMs, 2 * quiet.p99);
  return {
    goal: `p99 ≤ ${limitMs} ms, or 2 × quiet`,
    measured: `${milliseconds(flooded.p99)} (quiet ${milliseconds(quiet.p99)})`,
    met: flooded.p99 <= limit && flooded.failures === 0,
  };
}

async function measure(lab: Lab, peer: Peer): Promise<{ quiet: Latency; flooded: Latency }> {
  const url = peer.url + (peer.name === barePrometheus.name ? '/-/healthy' : '/federate?page=two');
  await checkRefusals(lab, peer.name, url);
  await latencyOf(lab, url, 1);
  const seconds = lab.quick ? 2 : 5;
  const quiet = await latencyOf(lab, url, seconds);
  const flooding = flood(url, lab.directory, seconds + 1);
  const flooded = await latencyOf(lab, url, seconds);
  await flooding;
  return { quiet, flooded };
}

export const passwordFlood: Row = {
  name: 'flood',
  title: 'Flood of wrong passwords',
  method:
    'wrk guesses over 16 connections, each time another password, bcrypt cost 10; meanwhile a scraper with the right one asks every 5 ms over a connection of its own. Its latency, quiet and during the flood.',
  async run(lab) {
    const lines: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const kind of [...gates(), vmauth, caddy, nginx, haproxy, barePrometheus]) {
      const peer = await start(lab, kind);
      try {
        const { quiet, flooded } = await measure(lab, peer);
        const figures = [quiet.p50, quiet.p99, flooded.p50, flooded.p99].map(milliseconds);
        lines.push([peer.name, ...figures, String(flooded.failures)]);
        if (peer.name === 'promgate') verdicts.push(calm(5, quiet, flooded));
      } finally {
        await stopAll([peer]);
      }
    }
    return { verdicts, header: ['server', 'quiet p50', 'p99', 'flooded p50', 'p99', 'not answered'], lines };
  },
};
