/** Many connections at once, most of them idle, some that read slowly. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { startGate } from '../peers/gate.ts';
import { stopAll } from '../contenders.ts';
import { sumOf } from '../exposed.ts';
import { figure, mebibytes, median, milliseconds, percentile } from '../figures.ts';
import { scrapeFor } from '../load.ts';
import type { Lab, PageName } from '../lab.ts';
import { peakBytes, residentBytes } from '../process.ts';
import { agree, LoadFailed, since } from '../proof.ts';
import type { Row } from './row.ts';

const IDLE = 1000;
const ACTIVE = 200;
const SLOW = 50;
const GOAL_BYTES = 200 * 1_048_576;
/** A slow reader takes a record of TLS (16 KB) so often: 160 KB a second. */
const SIP_MS = 100;
/** They must read as slowly as this, and not less than this, or the row is not what it says. */
const SLOW_BYTES = { least: 10_000, most: 800_000 };

interface SlowReader {
  readonly socket: TLSSocket;
  head: string;
  failed: boolean;
  bytes: number;
}

function open(lab: Lab, port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: lab.ca, servername: 'localhost' }, () => {
      socket.off('error', reject).on('error', () => undefined);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

function ask(lab: Lab, socket: TLSSocket, page: PageName): void {
  const lines = [`GET /federate?page=${page} HTTP/1.1`, 'Host: localhost', `Authorization: ${lab.authorization}`];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}

/** One that has scraped once: strangers are not kept for long. */
async function openIdle(lab: Lab, port: number): Promise<TLSSocket> {
  const socket = await open(lab, port);
  ask(lab, socket, 'two');
  await once(socket, 'data', { signal: AbortSignal.timeout(20_000) });
  return socket;
}

/** Asks for 17 MB, uncompressed, and reads them in sips. */
async function openSlow(lab: Lab, port: number): Promise<SlowReader> {
  const socket = await open(lab, port);
  const reader: SlowReader = { socket, head: '', failed: false, bytes: 0 };
  ask(lab, socket, 'big');
  socket.on('data', (chunk: Buffer) => {
    reader.bytes += chunk.length;
    if (reader.head === '') reader.head = chunk.toString('latin1', 0, 12);
    socket.pause();
    setTimeout(() => socket.resume(), SIP_MS).unref();
  });
  socket.once('close', () => {
    reader.failed = true;
  });
  return reader;
}

export const crowd: Row = {
  name: 'crowd',
  title: 'A crowd',
  method:
    '1 000 idle connections, 200 that scrape a 60 KB page twice a second, and 50 slow readers of a 17 MB answer (a record of TLS every 100 ms); memory of the gate at its peak. The row fails when the gate has not these connections open, or has answered another number of scrapes, or when the slow readers are not slow or do not read.',
  async run(lab) {
    const seconds = lab.quick ? 4 : 10;
    const gate = await startGate(lab, { keys: ['limits: {connections_per_address: 4096}'] });
    const idle: TLSSocket[] = [];
    const slow: SlowReader[] = [];
    try {
      const port = Number(new URL(gate.url).port);
      const resting = residentBytes(gate.pid);
      while (idle.length < IDLE) {
        const batch = Math.min(50, IDLE - idle.length);
        idle.push(...(await Promise.all(Array.from({ length: batch }, () => openIdle(lab, port)))));
      }
      for (let index = 0; index < SLOW; index++) slow.push(await openSlow(lab, port));
      await delay(1000);
      const open = sumOf(await gate.metrics(), 'promgate_connections');
      agree('connections', IDLE + SLOW, open, { count: 0, share: 0.01 });
      const earlier = (await gate.counted?.()) ?? {};
      const sipped = slow.map(({ bytes }) => bytes);
      const startedAt = performance.now();
      const scrapers = Array.from({ length: ACTIVE }, async () => {
        const agent = lab.agent();
        const options = { url: `${gate.url}/federate?page=exporter`, authorization: lab.authorization, agent };
        const result = await scrapeFor(options, seconds, 500);
        agent.destroy();
        return result;
      });
      const results = await Promise.all(scrapers);
      const latencies = results.flatMap((result) => result.latencies);
      const failures = results.reduce((sum, result) => sum + result.failures, 0);
      const slowSeconds = (performance.now() - startedAt) / 1000;
      const rates = slow.map(({ bytes }, index) => (bytes - (sipped[index] ?? 0)) / slowSeconds);
      const [slowest, fastest] = [Math.min(...rates), Math.max(...rates)];
      if (slowest < SLOW_BYTES.least || fastest > SLOW_BYTES.most) {
        throw new LoadFailed(`the slow readers read ${figure(slowest)} to ${figure(fastest)} bytes/s`);
      }
      agree('scrapes', latencies.length, since(earlier, (await gate.counted?.()) ?? {})['200'] ?? 0);
      const served = slow.filter(({ head, failed }) => head === 'HTTP/1.1 200' && !failed).length;
      const alive = idle.filter((socket) => !socket.destroyed).length;
      const peak = peakBytes(gate.pid);
      return {
        verdicts: [
          {
            goal: 'every scrape answered',
            measured: `${latencies.length} of ${latencies.length + failures}; ${served} of ${SLOW} slow readers served`,
            met: failures === 0 && served === SLOW,
          },
          { goal: 'memory ≤ 200 MB', measured: mebibytes(peak), met: peak <= GOAL_BYTES },
        ],
        header: ['scrape p50', 'p99', 'idle connections alive', 'slow readers', 'memory before', 'at its peak'],
        lines: [
          [
            milliseconds(percentile(latencies, 50)),
            milliseconds(percentile(latencies, 99)),
            `${alive} of ${IDLE}`,
            `${figure(median(rates) / 1000)} KB/s each`,
            mebibytes(resting),
            mebibytes(peak),
          ],
        ],
      };
    } finally {
      for (const socket of [...idle, ...slow.map((reader) => reader.socket)]) socket.destroy();
      await stopAll([gate]);
    }
  },
};
