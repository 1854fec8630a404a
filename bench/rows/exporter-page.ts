/** A page of an exporter: what a byte costs, with and without sharing the answers that are under way. */
import { checkBody, checkRefusals } from '../checks.ts';
import { gates, startAll, stopAll } from '../contenders.ts';
import { times } from '../figures.ts';
import { startGate } from '../peers/gate.ts';
import { caddy, vmauth } from '../peers/others.ts';
import type { PeerKind } from '../peers/peer.ts';
import { measureThroughput, ratioOf, THROUGHPUT_HEADER, throughputLines } from '../throughput.ts';
import { atLeast } from './row.ts';
import type { Row } from './row.ts';

const PATH = '/federate?page=exporter';

const alone: PeerKind = {
  name: 'promgate, share: off',
  start: (lab) => startGate(lab, { name: 'promgate, share: off', upstreamKeys: ['share: off'] }),
};

export const exporterPage: Row = {
  name: 'exporter-page',
  title: '60 KB exporter page',
  method:
    'As above with 60 KB, uncompressed. Sharing is the default: identical requests in flight share one upstream request. Without it, `share: off`.',
  async run(lab) {
    const peers = await startAll(lab, [...gates(), alone, vmauth, caddy]);
    try {
      for (const { name, url } of peers) {
        await checkRefusals(lab, name, url + PATH);
        await checkBody(lab, name, url + PATH, { body: lab.pages.exporter });
      }
      const measured = await measureThroughput(
        lab,
        peers.map((peer) => ({ name: peer.name, peer, path: PATH, bytes: lab.pages.exporter.length })),
      );
      const of = (name: string) => measured.find((one) => one.name === name);
      const toCaddy = ratioOf(of(alone.name), of(caddy.name));
      const toBest = Math.min(...[caddy, vmauth].map(({ name }) => ratioOf(of('promgate'), of(name))));
      return {
        verdicts: [
          atLeast(0.9, toCaddy, 'Caddy without sharing', times(toCaddy)),
          atLeast(1.2, toBest, 'the best authenticated peer with it', times(toBest)),
        ],
        header: THROUGHPUT_HEADER,
        lines: throughputLines(measured, 'promgate'),
      };
    } finally {
      await stopAll(peers);
    }
  },
};
