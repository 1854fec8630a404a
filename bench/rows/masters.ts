/** Two real masters that federate everything: what they cost the upstream, directly and with an answer that is reused. */
import { setTimeout as delay } from 'node:timers/promises';
import { stopAll } from '../contenders.ts';
import { sumOf } from '../exposed.ts';
import { figure, times } from '../figures.ts';
import { startFilled } from '../peers/filled-prometheus.ts';
import { startGate } from '../peers/gate.ts';
import type { Lab } from '../lab.ts';
import type { Peer } from '../peers/peer.ts';
import { NEWEST, startPrometheus, STABLE } from '../peers/prometheus.ts';
import { cpuSeconds } from '../process.ts';
import { atLeastAsMuch, LoadFailed } from '../proof.ts';
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

interface Cost {
  /** Seconds of processor time of the upstream for one interval of both masters. */
  readonly cost: number;
  /** What the upstream was asked for in all intervals. */
  readonly scrapes: number;
}

async function costOf(lab: Lab, upstream: Peer, target: string, plan: Plan): Promise<Cost> {
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
    const earlier = await asked(upstream);
    const before = cpuSeconds(upstream.pid);
    await delay(plan.intervals * plan.intervalSeconds * 1000);
    const cost = (cpuSeconds(upstream.pid) - before) / plan.intervals;
    const scrapes = (await asked(upstream)) - earlier;
    await checkMasters(masters);
    for (const master of masters) await checkSamples(master, plan);
    return { cost, scrapes };
  } finally {
    await stopAll(masters);
  }
}

async function asked({ url }: Peer): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return sumOf(page, 'prometheus_http_requests_total', { handler: '/federate', code: '200' });
}

/** @throws LoadFailed when a master has missed a scrape, or got less than everything. */
async function checkSamples({ url }: Peer, { series, intervals, intervalSeconds }: Plan): Promise<void> {
  const window = `[${intervals * intervalSeconds}s]`;
  const ask = async (expression: string): Promise<number> => {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    return Number(data.result[0]?.value[1] ?? 0);
  };
  atLeastAsMuch('scrapes of a master', await ask(`sum_over_time(up${window})`), intervals - 1);
  atLeastAsMuch('series that a master got', await ask(`min_over_time(scrape_samples_scraped${window})`), series);
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
      atLeastAsMuch('scrapes that the upstream answered directly', direct.scrapes, 2 * (plan.intervals - 1));
      if (shared.scrapes < plan.intervals - 1 || shared.scrapes > direct.scrapes) {
        throw new LoadFailed(`the gate has asked ${shared.scrapes} times, the masters ${direct.scrapes} times`);
      }
      const ratio = shared.cost / direct.cost;
      return {
        verdicts: [{ goal: `≤ ${GOAL} × directly`, measured: times(ratio), met: ratio <= GOAL }],
        header: [
          'two masters scrape',
          'CPU of the upstream per interval',
          `scrapes of it in ${plan.intervals} intervals`,
        ],
        lines: [
          ['directly', `${figure(direct.cost * 1000)} ms`, String(direct.scrapes)],
          [`the gate, ${maxAge}`, `${figure(shared.cost * 1000)} ms`, String(shared.scrapes)],
        ],
      };
    } finally {
      await stopAll(peers);
    }
  },
};
