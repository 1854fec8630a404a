/** The same flood from a thousand addresses: lockouts and queues must stay bounded, and the scraper calm. */
import { fileURLToPath } from 'node:url';
import { runProcess } from '../../test/support/processes.ts';
import { behindTheMeter } from '../cores.ts';
import { gates, start, stopAll } from '../contenders.ts';
import { sumOf } from '../exposed.ts';
import { mebibytes, milliseconds } from '../figures.ts';
import { readStatuses } from '../guesses.ts';
import { calm, latencyOf, medianOf } from '../latency.ts';
import type { Latency } from '../latency.ts';
import { gate, metricsOf } from '../peers/gate.ts';
import { residentBytes } from '../process.ts';
import { agree, atLeastAsMuch, endedWell, refused, shownStatuses, since, total } from '../proof.ts';
import type { Statuses } from '../proof.ts';
import type { Row, Verdict } from './row.ts';

const FLOODER = fileURLToPath(new URL('../flooder.ts', import.meta.url));
const ADDRESSES = 1000;
const CONCURRENCY = 100;
/** Beyond what the first half of the flood has made it. */
const FLAT = 1.15;

interface Flood {
  readonly sent: number;
  readonly addresses: number;
  readonly statuses: Statuses;
}

/** @throws LoadFailed when the flooder has not done what it is for. */
async function flood(port: number, seconds: number): Promise<Flood> {
  const numbers = [port, ADDRESSES, CONCURRENCY, seconds].map(String);
  const [command, ...argv] = behindTheMeter([process.execPath, '--import', 'tsx', FLOODER, ...numbers]);
  const done = await runProcess(command, argv, { deadlineMs: (seconds + 150) * 1000 });
  endedWell('the flooder', done);
  const counted = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(done.stdout)?.[1] ?? 0);
  const found = { sent: counted('sent'), addresses: counted('addresses'), statuses: readStatuses(done.stdout) };
  atLeastAsMuch('addresses from which a password was guessed', found.addresses, ADDRESSES);
  return found;
}

export const floodAddresses: Row = {
  name: 'flood-addresses',
  title: 'Flood from 1 000 addresses',
  method: `Wrong passwords from 1 000 addresses of 127.0.0.0/8, a new connection for each guess, ${CONCURRENCY} at a time, given up after a second; the scraper as above. Memory is flat when the second half of the flood adds at most 15 %. The row fails when not every address has guessed, or when the gate has accepted or answered another number than the flooder has sent or read.`,
  async run(lab) {
    const lines: string[][] = [];
    const verdicts: Verdict[] = [];
    const seconds = lab.quick ? 6 : 12;
    for (const kind of gates({ keys: ['limits: {connections_per_address: 4096}'] })) {
      const peer = await start(lab, kind);
      try {
        const url = `${peer.url}/federate?page=two`;
        await latencyOf(lab, url, 1);
        const quiet = await latencyOf(lab, url, seconds / 2);
        const counts = async () => {
          const page = await metricsOf(peer);
          const opened = sumOf(page, 'promgate_connections_opened_total');
          return { opened, statuses: (await peer.counted?.()) ?? {} };
        };
        const earlier = await counts();
        const flooding = flood(Number(new URL(peer.url).port), seconds);
        const slices: Latency[] = [];
        const memories: number[] = [];
        const state = { isOver: false };
        const end = (): void => {
          state.isOver = true;
        };
        flooding.then(end, end);
        while (!state.isOver) {
          slices.push(await latencyOf(lab, url, seconds / 4));
          memories.push(residentBytes(peer.pid));
        }
        const { sent, addresses, statuses } = await flooding;
        const before = memories[(memories.length - 1) >> 1] ?? NaN;
        const after = memories.at(-1) ?? NaN;
        const later = await counts();
        const refusals = refused(since(earlier.statuses, later.statuses));
        // Those that were given up have been accepted; some of them are answered, and nobody reads it.
        atLeastAsMuch('connections that the gate has accepted', later.opened - earlier.opened, sent);
        const unread = Math.max(0, sent - total(statuses));
        agree('guesses answered', total(statuses) + unread / 2, total(refusals), { count: unread / 2 + CONCURRENCY });
        const loaded = { ...medianOf(slices), p99: Math.max(...slices.map(({ p99 }) => p99)) };
        const memory = `${mebibytes(before)} → ${mebibytes(after)}`;
        const latencies = [quiet.p50, quiet.p99, loaded.p50, loaded.p99].map(milliseconds);
        const guesses = `${sent} from ${addresses} addresses`;
        lines.push([peer.name, ...latencies, guesses, shownStatuses(statuses), memory]);
        if (peer.name !== gate.name) continue;
        verdicts.push(calm('', { quiet, loaded }));
        verdicts.push({ goal: 'memory flat', measured: memory, met: after <= before * FLAT });
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
      'guesses',
      'answered',
      'memory, half-way and after',
    ];
    return { verdicts, header, lines };
  },
};
