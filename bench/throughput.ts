/** Requests per second of several servers, in turn, several times: what drifts on the machine drifts for all. */
import { runWrk } from './load.ts';
import type { Answered } from './load.ts';
import type { Lab } from './lab.ts';
import type { Peer } from './peers/peer.ts';
import { figure, median, times } from './figures.ts';
import { cpuSeconds } from './process.ts';
import { agree, atLeastAsMuch, since } from './proof.ts';

export interface Contender {
  readonly name: string;
  readonly peer: Peer;
  readonly path: string;
  /** Hashes with every request: one longer round is enough to see it. */
  readonly isSlow?: boolean;
  readonly close?: boolean;
  /** Of the body. */
  readonly bytes?: number;
}

/** The median over the rounds; and each round, for the ratios. */
export interface Throughput {
  readonly name: string;
  readonly perSecond: number;
  /** Processor time of the server for one request, in microseconds: what it costs, whoever else uses the machine. */
  readonly cpuMicroseconds: number;
  readonly rounds: readonly Round[];
}

interface Round {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

const CONNECTIONS = 16;
const SLOW_SECONDS = 5;

/** Answers 200: as the server counts them or, for a proxy that counts nothing, what it has asked the upstream. */
async function countedBy(lab: Lab, { counted }: Peer): Promise<number> {
  if (counted === null) return lab.upstreamRequests();
  return since({}, await counted())['200'] ?? 0;
}

/** @throws LoadFailed when wrk has had another number of answers than the server has given, or other bodies. */
async function measure(lab: Lab, contender: Contender, seconds: number): Promise<Round> {
  const { peer, path, close, bytes = 0 } = contender;
  const earlier = await countedBy(lab, peer);
  const before = cpuSeconds(peer.pid);
  const answered: Answered = await runWrk({
    url: peer.url + path,
    authorization: lab.authorization,
    connections: CONNECTIONS,
    seconds,
    ...(close === undefined ? {} : { close }),
  });
  const { perSecond, requests } = answered;
  const cpuMicroseconds = ((cpuSeconds(peer.pid) - before) * 1e6) / requests;
  agree(`answers of ${peer.name}`, requests, (await countedBy(lab, peer)) - earlier);
  // wrk rounds what it has read to three digits.
  atLeastAsMuch(`bytes from ${peer.name}`, answered.bytes, requests * bytes * 0.99);
  return { perSecond, cpuMicroseconds };
}

/** One short round first, uncounted: caches of passwords and compiled code are warm then. */
export async function measureThroughput(lab: Lab, contenders: readonly Contender[]): Promise<Throughput[]> {
  const rounds = new Map<Contender, Round[]>(contenders.map((one) => [one, []]));
  const fast = contenders.filter(({ isSlow }) => isSlow !== true);
  for (const contender of fast) await measure(lab, contender, lab.quick ? 1 : 3);
  for (let round = 0; round < lab.rounds; round++) {
    for (const contender of fast) rounds.get(contender)?.push(await measure(lab, contender, lab.seconds));
  }
  for (const contender of contenders) {
    if (contender.isSlow === true) rounds.get(contender)?.push(await measure(lab, contender, SLOW_SECONDS));
  }
  return contenders.map((contender) => {
    const measured = rounds.get(contender) ?? [];
    return {
      name: contender.name,
      perSecond: median(measured.map((round) => round.perSecond)),
      cpuMicroseconds: median(measured.map((round) => round.cpuMicroseconds)),
      rounds: measured,
    };
  });
}

/** The median of the ratios round by round; with another number of rounds, the ratio of the medians. */
export function ratioOf(of: Throughput | undefined, to: Throughput | undefined): number {
  if (of === undefined || to === undefined) return NaN;
  if (of.rounds.length !== to.rounds.length) return of.perSecond / to.perSecond;
  return median(of.rounds.map((round, index) => round.perSecond / (to.rounds[index]?.perSecond ?? NaN)));
}

export const THROUGHPUT_HEADER = ['server', 'requests/s', 'CPU per request', 'promgate is'];

/** Lines for the table, with the ratio of one of them to each. */
export function throughputLines(measured: readonly Throughput[], own: string): string[][] {
  const reference = measured.find(({ name }) => name === own);
  return measured.map((one) => [
    one.name,
    figure(one.perSecond),
    `${figure(one.cpuMicroseconds)} µs`,
    times(ratioOf(reference, one)),
  ]);
}
