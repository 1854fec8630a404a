/** The smallest answer: what one request costs. */
import { checkBody, checkRefusals } from '../checks.ts';
import { gates, start, startAll, stopAll } from '../contenders.ts';
import { times } from '../figures.ts';
import { startGate } from '../peers/gate.ts';
import { caddy, haproxy, nginx, vmauth } from '../peers/others.ts';
import { barePrometheus } from '../peers/prometheus.ts';
import type { PeerKind } from '../peers/peer.ts';
import { measureThroughput, ratioOf, THROUGHPUT_HEADER, throughputLines } from '../throughput.ts';
import type { Contender } from '../throughput.ts';
import { atLeast } from './row.ts';
import type { Row } from './row.ts';

const PATH = '/federate?page=two';
const OWN_PATH = '/-/healthy';
const HASHING: readonly string[] = [nginx.name, haproxy.name];

const alone: PeerKind = {
  name: 'promgate, share: off',
  start: (lab) => startGate(lab, { name: 'promgate, share: off', upstreamKeys: ['share: off'] }),
};

export const twoBytes: Row = {
  name: 'two-bytes',
  title: '2-byte answer',
  method:
    'HTTPS, bcrypt cost 10, 16 connections kept alive (wrk), `/federate` of 2 bytes from a static nginx. Prometheus with web.yml answers `/-/healthy` by itself; vmauth compares the password in plain text; nginx and HAProxy hash with every request. promgate shares identical requests in flight, as is its default; `share: off` is shown beside it.',
  async run(lab) {
    const peers = await startAll(lab, [...gates(), alone, vmauth, caddy, nginx, haproxy]);
    try {
      for (const { name, url } of peers) {
        await checkRefusals(lab, name, url + PATH);
        await checkBody(lab, name, url + PATH, { body: lab.pages.two });
      }
      const bare = await start(lab, barePrometheus);
      peers.push(bare);
      await checkRefusals(lab, bare.name, bare.url + OWN_PATH);
      const contenders: Contender[] = peers.map((peer) => ({
        name: peer.name,
        peer,
        path: peer === bare ? OWN_PATH : PATH,
        isSlow: HASHING.includes(peer.name),
        bytes: lab.pages.two.length,
      }));
      const measured = await measureThroughput(lab, contenders);
      const of = (name: string) => measured.find((one) => one.name === name);
      const ratio = (name: string): number => ratioOf(of('promgate'), of(name));
      const goal = (factor: number, { name }: { readonly name: string }) =>
        atLeast(factor, ratio(name), name, times(ratio(name)));
      return {
        verdicts: [goal(1, vmauth), goal(1.8, caddy), goal(500, nginx), goal(500, haproxy)],
        header: THROUGHPUT_HEADER,
        lines: throughputLines(measured, 'promgate'),
      };
    } finally {
      await stopAll(peers);
    }
  },
};
