/** `/federate` of everything: the gate asks for it uncompressed and compresses by itself. */
import { Agent } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { startGate } from '../peers/gate.ts';
import { EVERYTHING, startFilled } from '../peers/filled-prometheus.ts';
import { NEWEST, STABLE } from '../peers/prometheus.ts';
import { stopAll } from '../contenders.ts';
import { sumOf } from '../exposed.ts';
import { figure, mebibytes, median, times } from '../figures.ts';
import { fetchOnce } from '../load.ts';
import type { Fetched, FetchOptions } from '../load.ts';
import type { Lab } from '../lab.ts';
import type { Peer } from '../peers/peer.ts';
import { peakBytes } from '../process.ts';
import { agree, atLeastAsMuch } from '../proof.ts';
import type { Row, Verdict } from './row.ts';

interface Case {
  readonly name: string;
  readonly program: () => string;
  readonly series: number;
  readonly goal: number;
}

interface Result {
  readonly direct: number;
  readonly gated: number;
  readonly ratio: number;
  readonly bytes: number;
  readonly peak: number;
}

const HEADERS = { 'accept-encoding': 'gzip', accept: 'text/plain;version=0.0.4' };
/** The peak of 500 000 series may be at most so much above that of 100 000. */
const FLAT = 1.25;

/** Direct and through the gate in turn; the first of each is not counted. */
async function compare(lab: Lab, direct: FetchOptions, gated: FetchOptions, series: number): Promise<Result> {
  const rounds: { direct: number; gated: number }[] = [];
  let last: Fetched | null = null;
  for (let round = 0; round <= (lab.quick ? 2 : 5); round++) {
    const one = await fetchOnce(direct);
    last = await fetchOnce(gated);
    atLeastAsMuch('series in an answer', checkSame(one, last), series);
    if (round > 0) rounds.push({ direct: one.ms, gated: last.ms });
  }
  if (last === null) throw new Error('nothing was measured');
  return {
    direct: median(rounds.map((round) => round.direct)),
    gated: median(rounds.map((round) => round.gated)),
    ratio: median(rounds.map((round) => round.gated / round.direct)),
    bytes: last.body.length,
    peak: 0,
  };
}

/** Both whole: the lines of one are the lines of the other. @returns how many of them are samples. */
function checkSame(direct: Fetched, gated: Fetched): number {
  const [one, other] = [direct, gated].map(({ body, headers }) =>
    headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body,
  );
  if (direct.status !== 200 || gated.status !== 200 || one === undefined || other?.equals(one) !== true) {
    throw new Error(`the answer through the gate (${gated.status}, ${other?.length} bytes) is not the direct one`);
  }
  return (one.toString('latin1').match(/^[^#\n]/gm) ?? []).length;
}

const HANDLER = { handler: '/federate', code: '200' };

async function pageOf({ url }: Peer): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

async function measure(lab: Lab, { name, program, series }: Case): Promise<Result> {
  lab.say(`filling ${name} with ${series} series`);
  const prometheus = await startFilled(lab, { name, program: program(), series, core: lab.cores.measured });
  const peers: Peer[] = [prometheus];
  const plain = new Agent({ keepAlive: true });
  const agent = lab.agent();
  try {
    const gate = await startGate(lab, { upstream: prometheus.url, core: lab.cores.load });
    peers.push(gate);
    const common = { authorization: lab.authorization, headers: HEADERS, timeoutMs: 60_000 };
    const asked = async (): Promise<number> =>
      sumOf(await pageOf(prometheus), 'prometheus_http_requests_total', HANDLER);
    const before = await asked();
    const result = await compare(
      lab,
      { ...common, url: prometheus.url + EVERYTHING, agent: plain },
      { ...common, url: gate.url + EVERYTHING, agent },
      series,
    );
    agree('scrapes of everything', 2 * ((lab.quick ? 2 : 5) + 1), (await asked()) - before, { count: 0 });
    return { ...result, peak: peakBytes(gate.pid) };
  } finally {
    plain.destroy();
    agent.destroy();
    await stopAll(peers);
  }
}

export const federation: Row = {
  name: 'federation',
  title: '`/federate` of everything',
  method:
    'One scrape after the other, gzip, bodies compared byte by byte. Prometheus has one processor, the scraper and the gate share the other. Memory is the peak of the gate.',
  async run(lab) {
    const stable = { name: 'Prometheus of the distribution', program: STABLE, goal: 0.85 };
    const newest = { name: 'newest Prometheus', program: NEWEST, goal: 1 };
    const few = lab.quick ? 20_000 : 100_000;
    const cases: Case[] = [
      { ...stable, series: few },
      { ...newest, series: few },
      ...(lab.quick ? [] : [{ ...newest, series: 500_000 }]),
    ];
    const verdicts: Verdict[] = [];
    const lines: string[][] = [];
    const peaks: number[] = [];
    for (const one of cases) {
      const { direct, gated, ratio, bytes, peak } = await measure(lab, one);
      const what = `${one.name}, ${figure(one.series)} series`;
      lines.push([
        what,
        `${figure(direct)} ms`,
        `${figure(gated)} ms`,
        times(ratio),
        mebibytes(bytes),
        mebibytes(peak),
      ]);
      verdicts.push({ goal: `≤ ${one.goal} × direct (${what})`, measured: times(ratio), met: ratio <= one.goal });
      peaks.push(peak);
    }
    const [, small = NaN, large] = peaks;
    if (large !== undefined) {
      const measured = `${mebibytes(small)} → ${mebibytes(large)}`;
      verdicts.push({ goal: 'memory flat from 100 000 to 500 000 series', measured, met: large <= small * FLAT });
    }
    return { verdicts, header: ['upstream', 'direct', 'through the gate', 'ratio', 'gzip', 'memory'], lines };
  },
};
