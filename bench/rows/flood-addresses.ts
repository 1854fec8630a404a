/** The same flood from a thousand addresses: lockouts and queues must stay bounded, and the scraper calm. */
import { fileURLToPath } from 'node:url';
import { gates, start, stopAll } from '../contenders.ts';
import { figure, mebibytes, milliseconds } from '../figures.ts';
import { runProcess } from '../../test/support/processes.ts';
import { residentBytes } from '../process.ts';
import { calm, latencyOf } from './flood.ts';
import type { Row, Verdict } from './row.ts';

const FLOODER = fileURLToPath(new URL('../flooder.ts', import.meta.url));
const ADDRESSES = 1000;
const CONCURRENCY = 16;
/** Beyond what the first half of the flood has made it. */
const FLAT = 1.15;

export const floodAddresses: Row = {
  name: 'flood-addresses',
  title: 'Flood from 1 000 addresses',
  method:
    'Wrong passwords from 1 000 addresses of 127.0.0.0/8, a new connection for each, 16 at a time; the scraper as above. Memory is flat when the second half of the flood adds at most 15 %.',
  async run(lab) {
    const lines: string[][] = [];
    const verdicts: Verdict[] = [];
    const seconds = lab.quick ? 3 : 8;
    for (const kind of gates({ keys: ['limits: {connections_per_address: 4096}'] })) {
      const peer = await start(lab, kind);
      try {
        const url = `${peer.url}/federate?page=two`;
        await latencyOf(lab, url, 1);
        const quiet = await latencyOf(lab, url, seconds / 2);
        const argv = ['-n', '10', process.execPath, '--import', 'tsx', FLOODER];
        const numbers = [Number(new URL(peer.url).port), ADDRESSES, CONCURRENCY, seconds].map(String);
        const flooding = runProcess('nice', [...argv, ...numbers], { deadlineMs: (seconds + 30) * 1000 });
        const first = await latencyOf(lab, url, seconds / 2);
        const before = residentBytes(peer.pid);
        const flooded = await latencyOf(lab, url, seconds / 2);
        const after = residentBytes(peer.pid);
        const guesses = Number((await flooding).stdout);
        const worst = {
          ...flooded,
          p99: Math.max(first.p99, flooded.p99),
          failures: first.failures + flooded.failures,
        };
        lines.push([
          peer.name,
          ...[quiet.p50, quiet.p99, worst.p50, worst.p99].map(milliseconds),
          figure(guesses),
          `${mebibytes(before)} → ${mebibytes(after)}`,
        ]);
        if (peer.name !== 'promgate') continue;
        const isFlat = after <= before * FLAT;
        verdicts.push(calm(10, quiet, worst));
        verdicts.push({ goal: 'memory flat', measured: `${mebibytes(before)} → ${mebibytes(after)}`, met: isFlat });
      } finally {
        await stopAll([peer]);
      }
    }
    const header = [
      'server',
      'quiet p50',
      'p99',
      'flooded p50',
      'p99',
      'guesses answered',
      'memory, half-way and after',
    ];
    return { verdicts, header, lines };
  },
};
