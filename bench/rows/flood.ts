/** Guessing passwords over 16 connections: what a well-behaved scraper notices of it. */
import { checkRefusals } from '../checks.ts';
import { gates, start, stopAll } from '../contenders.ts';
import { figure, milliseconds } from '../figures.ts';
import { guess } from '../guesses.ts';
import type { Lab } from '../lab.ts';
import { calm, latencyOf, medianOf } from '../latency.ts';
import type { Compared, Latency } from '../latency.ts';
import { caddy, haproxy, nginx, vmauth } from '../peers/others.ts';
import { gate } from '../peers/gate.ts';
import type { Peer } from '../peers/peer.ts';
import { barePrometheus } from '../peers/prometheus.ts';
import { agree, atLeastAsMuch, refused, shownStatuses, since, suffers, total } from '../proof.ts';
import type { Statuses } from '../proof.ts';
import type { Row, Verdict } from './row.ts';

/** They hash with every request and where they serve: a flood that they do not feel is none. */
const SUFFERING: readonly string[] = [nginx.name, haproxy.name];
const SUFFERING_FACTOR = 3;
/** What a processor that hashes with cost 10 and does nothing else answers is five times as many. */
const LEAST_PER_SECOND = 3;

interface Flooded extends Compared {
  readonly guesses: Statuses;
  readonly seconds: number;
}

/** @throws LoadFailed when nothing was guessed, or the gate has counted other guesses than wrk. */
async function floodOnce(lab: Lab, peer: Peer, url: string, seconds: number): Promise<Flooded> {
  const quiet = await latencyOf(lab, url, seconds);
  const before = await peer.counted?.();
  const flooding = guess({ url, user: lab.user, directory: lab.directory, seconds: seconds + 1 });
  const [loaded, guesses] = await Promise.all([latencyOf(lab, url, seconds), flooding]);
  const answered = total(guesses);
  atLeastAsMuch(`guesses that ${peer.name} has answered`, answered, LEAST_PER_SECOND * seconds);
  if (peer.name.startsWith(gate.name) && before !== undefined && peer.counted !== null) {
    const counted = refused(since(before, await peer.counted()));
    agree(`guesses (${shownStatuses(guesses)}; ${peer.name}: ${shownStatuses(counted)})`, answered, total(counted));
  }
  return { quiet, loaded, guesses, seconds: seconds + 1 };
}

async function measure(
  lab: Lab,
  peer: Peer,
): Promise<Compared & { readonly perSecond: number; readonly statuses: string }> {
  const url = peer.url + (peer.name === barePrometheus.name ? '/-/healthy' : '/federate?page=two');
  await checkRefusals(lab, peer.name, url);
  await latencyOf(lab, url, 1);
  const rounds: Flooded[] = [];
  for (let round = 0; round < lab.rounds; round++) rounds.push(await floodOnce(lab, peer, url, lab.quick ? 2 : 5));
  const of = (one: (round: Flooded) => Latency): Latency => medianOf(rounds.map(one));
  const quiet = of((round) => round.quiet);
  const loaded = of((round) => round.loaded);
  if (SUFFERING.includes(peer.name)) suffers(peer.name, quiet.p99, loaded.p99, SUFFERING_FACTOR);
  const statuses: Record<string, number> = {};
  for (const { guesses } of rounds) {
    for (const [status, count] of Object.entries(guesses)) statuses[status] = (statuses[status] ?? 0) + count;
  }
  const seconds = rounds.reduce((sum, round) => sum + round.seconds, 0);
  return { quiet, loaded, perSecond: total(statuses) / seconds, statuses: shownStatuses(statuses) };
}

export const passwordFlood: Row = {
  name: 'flood',
  title: 'Flood of wrong passwords',
  method: `wrk guesses over 16 connections, each time another password, bcrypt cost 10; meanwhile a scraper with the right one asks every 5 ms over a connection of its own. Its latency, quiet and during the flood. The row fails when wrk fails or guesses less than ${LEAST_PER_SECOND} passwords a second, when the gate's metrics count other guesses than wrk, and when nginx or HAProxy, which hash where they serve, do not get ${SUFFERING_FACTOR} times as slow at least. vmauth compares the password in plain text.`,
  async run(lab) {
    const lines: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const kind of [...gates(), vmauth, caddy, nginx, haproxy, barePrometheus]) {
      const peer = await start(lab, kind);
      try {
        const { quiet, loaded, perSecond, statuses } = await measure(lab, peer);
        const figures = [quiet.p50, quiet.p99, loaded.p50, loaded.p99].map(milliseconds);
        lines.push([peer.name, ...figures, String(loaded.failures), figure(perSecond), statuses]);
        if (peer.name === gate.name) verdicts.push(calm('', { quiet, loaded }));
      } finally {
        await stopAll([peer]);
      }
    }
    const header = ['server', 'quiet p50', 'p99', 'flooded p50', 'p99', 'not answered', 'guesses/s', 'answered'];
    return { verdicts, header, lines };
  },
};
