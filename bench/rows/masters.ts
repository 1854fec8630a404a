/** Two real masters that federate everything: what they cost the upstream, directly and with an answer that is reused. */
import { setTimeout as delay } from 'node:timers/promises';
import { stopAll } from '../contenders.ts';
import { figure, times } from '../figures.ts';
import { startFilled } from '../peers/filled-prometheus.ts';
import { startGate } from '../peers/gate.ts';
import type { Lab } from '../lab.ts';
import type { Peer } from '../peers/peer.ts';
import { NEWEST, startPrometheus, STABLE } from '../peers/prometheus.ts';
import { cpuSeconds } from '../process.ts';
import type { Row } from './row.ts';

const GOAL = 0.6;

interface Plan {
  readonly series: number;
  readonly intervalSeconds: number;
  readonly intervals: number;
}

/** External labels differ, so that Prometheus itself spreads the moments at which the two scrape. */
function masterConfiguration(lab: Lab, target: URL, replica: string, { intervalSeconds }: Plan): string {
  const secure = target.protocol === 'https:';
  return `global: {external_labels: {replica: ${replica}}}
scrape_configs:
  - job_name: federate
    scrape_interval: ${intervalSeconds}s
    scrape_timeout: ${intervalSeconds}s
    honor_labels: true
    metrics_path: /federate
    scheme: ${secure ? 'https' : 'http'}
    params: {"match[]": ['{__name__=~".+"}']}
    static_configs: [{targets: ["${target.host}"]}]
${secure ? `    tls_config: {ca_file: ${lab.caFile}, server_name: localhost}\n    basic_auth: {username: ${lab.user}, password: ${lab.password}}` : ''}
`;
}

/** @returns seconds of processor time of the upstream for one interval of both masters. */
async function costOf(lab: Lab, upstream: Peer, target: string, plan: Plan): Promise<number> {
  const masters: Peer[] = [];
  try {
    for (const replica of ['a', 'b']) {
      const configuration = masterConfiguration(lab, new URL(target), replica, plan);
      masters.push(
        await startPrometheus(lab, {
          name: `master ${replica}`,
          program: STABLE(),
          core: lab.cores.load,
          configuration,
        }),
      );
    }
    await delay(plan.intervalSeconds * 1000);
    await untilTheyScrape(masters);
    const before = cpuSeconds(upstream.pid);
    await delay(plan.intervals * plan.intervalSeconds * 1000);
    const cost = (cpuSeconds(upstream.pid) - before) / plan.intervals;
    await checkMasters(masters);
    return cost;
  } finally {
    await stopAll(masters);
  }
}

async function untilTheyScrape(masters: readonly Peer[]): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      await checkMasters(masters);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(200);
    }
  }
}

/** @throws Error when a scrape of a master has failed. */
async function checkMasters(masters: readonly Peer[]): Promise<void> {
  for (const { name, url } of masters) {
    const response = await fetch(`${url}/api/v1/targets?state=active`);
    const { data } = (await response.json()) as { data: { activeTargets: { health: string; lastError: string }[] } };
    const [target] = data.activeTargets;
    if (target?.health !== 'up') throw new Error(`${name} does not scrape: ${target?.lastError ?? 'no target'}`);
  }
}

export const masters: Row = {
  name: 'masters',
  title: 'Two masters, `max_age` of half the interval',
  method:
    'Two Prometheus servers federate everything from one, at the offsets that they choose themselves; processor time of the one, per interval, when both scrape it directly and when both scrape the gate.',
  async run(lab) {
    const plan: Plan = lab.quick
      ? { series: 10_000, intervalSeconds: 2, intervals: 4 }
      : { series: 100_000, intervalSeconds: 6, intervals: 4 };
    const upstream = await startFilled(lab, {
      name: 'the upstream',
      program: NEWEST(),
      series: plan.series,
      core: lab.cores.measured,
    });
    const peers: Peer[] = [upstream];
    try {
      const direct = await costOf(lab, upstream, upstream.url, plan);
      const maxAge = `max_age: ${plan.intervalSeconds / 2}s`;
      const gate = await startGate(lab, { upstream: upstream.url, core: lab.cores.load, upstreamKeys: [maxAge] });
      peers.push(gate);
      const shared = await costOf(lab, upstream, gate.url, plan);
      const ratio = shared / direct;
      return {
        verdicts: [{ goal: `≤ ${GOAL} × directly`, measured: times(ratio), met: ratio <= GOAL }],
        header: ['two masters scrape', 'CPU of the upstream per interval'],
        lines: [
          ['directly', `${figure(direct * 1000)} ms`],
          [`the gate, ${maxAge}`, `${figure(shared * 1000)} ms`],
        ],
      };
    } finally {
      await stopAll(peers);
    }
  },
};
