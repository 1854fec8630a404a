/** From the command to the first scrape that is answered. */
import { setTimeout as delay } from 'node:timers/promises';
import { gates, stopAll } from '../contenders.ts';
import { figure, median } from '../figures.ts';
import type { Lab } from '../lab.ts';
import type { Peer, PeerKind } from '../peers/peer.ts';
import { atMost } from './row.ts';
import type { Row, Verdict } from './row.ts';

const GOAL_MS = 350;

async function once(lab: Lab, kind: PeerKind): Promise<number> {
  let peer: Peer | null = null;
  try {
    peer = await kind.start(lab, {});
    return peer.readyAfterMs;
  } finally {
    if (peer !== null) await stopAll([peer]);
    // What the last one wrote to disk and freed is not the next one's business.
    await delay(100);
  }
}

export const startUp: Row = {
  name: 'start-up',
  title: 'Start',
  method:
    'From the start of the process to the end of the first answer to a scrape with a password (bcrypt cost 10, hashed once), asked for every 5 ms. Node compiles with no cache.',
  async run(lab) {
    const lines: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const kind of gates()) {
      const samples: number[] = [];
      for (let round = 0; round < (lab.quick ? 3 : 7); round++) samples.push(await once(lab, kind));
      const middle = median(samples);
      lines.push([kind.name, `${figure(middle)} ms`, `${figure(Math.min(...samples))} ms`]);
      if (kind.name === 'promgate') {
        verdicts.push(atMost(`${GOAL_MS} ms`, GOAL_MS, middle, `${figure(middle)} ms`));
      }
    }
    return { verdicts, header: ['server', 'median', 'best'], lines };
  },
};
