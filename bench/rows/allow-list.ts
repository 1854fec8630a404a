/** An allow list of ten thousand networks: asked once for each connection. */
import { metricsOf, startGate } from '../peers/gate.ts';
import { startAll, stopAll } from '../contenders.ts';
import { sumOf } from '../exposed.ts';
import { figure, median } from '../figures.ts';
import type { PeerKind } from '../peers/peer.ts';
import { measureThroughput } from '../throughput.ts';
import { atLeastAsMuch } from '../proof.ts';
import type { Row } from './row.ts';

const NETWORKS = 10_000;
const MOST_PERCENT = 2;

/** `10.a.b.0/24`, `11.…`: none of them is asked from; loopback comes last. */
const many = Array.from({ length: NETWORKS - 1 }, (_unused, index) => {
  return `${10 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.0/${index % 2 === 0 ? 24 : 25}`;
});

const kinds: readonly PeerKind[] = [
  { name: 'loopback only', start: (lab) => startGate(lab, { name: 'loopback only', allow: ['127.0.0.0/8'] }) },
  {
    name: '10 000 networks',
    start: (lab) => startGate(lab, { name: '10 000 networks', allow: [...many, '127.0.0.0/8'] }),
  },
];

export const allowList: Row = {
  name: 'allow-list',
  title: 'Allow list of 10 000 networks',
  method:
    'One request for each connection, with a handshake (wrk, `Connection: close`, 16 at a time). The cost is the processor time of the gate for one connection, so that the goal can be told from the noise of the machine.',
  async run(lab) {
    const peers = await startAll(lab, kinds);
    try {
      const measured = await measureThroughput(
        { ...lab, rounds: lab.rounds * 2 },
        peers.map((peer) => ({ name: peer.name, peer, path: '/federate?page=two', close: true })),
      );
      for (const peer of peers) {
        const page = await metricsOf(peer);
        const requests = sumOf(page, 'promgate_requests_total', { code: '200' });
        atLeastAsMuch(`connections of ${peer.name}`, sumOf(page, 'promgate_connections_opened_total'), requests * 0.99);
      }
      const [one, all] = measured;
      const ratios = (all?.rounds ?? []).map(
        (round, index) => round.cpuMicroseconds / (one?.rounds[index]?.cpuMicroseconds ?? NaN),
      );
      const percent = (median(ratios) - 1) * 100;
      return {
        verdicts: [
          {
            goal: `≤ ${MOST_PERCENT} % on a connection`,
            measured: `${percent.toFixed(1)} %`,
            met: percent <= MOST_PERCENT,
          },
        ],
        header: ['allow', 'connections/s', 'CPU per connection'],
        lines: measured.map(({ name, perSecond, cpuMicroseconds }) => [
          name,
          figure(perSecond),
          `${figure(cpuMicroseconds)} µs`,
        ]),
      };
    } finally {
      await stopAll(peers);
    }
  },
};
