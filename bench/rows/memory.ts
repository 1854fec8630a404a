/** Resident memory, idle and after work, on the oldest and the newest supported Node. */
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { stopAll } from '../contenders.ts';
import { mebibytes } from '../figures.ts';
import { fetchOnce, runWrk } from '../load.ts';
import type { Lab } from '../lab.ts';
import { nodes } from '../nodes.ts';
import { startGate } from '../peers/gate.ts';
import type { GatePeer } from '../peers/gate.ts';
import { peakBytes, residentBytes } from '../process.ts';
import { agree, LoadFailed, since } from '../proof.ts';
import { atMost } from './row.ts';
import type { Row, Verdict } from './row.ts';

const IDLE_MB = 72;
const AFTER_MB = 128;
const MEBIBYTE = 1_048_576;
/** V8 gives memory back when nothing has happened for eight seconds, and the gate ends an idle password worker after ten. */
const SETTLE_MS = 15_000;

/** 2 bytes, 60 KB and 17 MB, the last one compressed. */
async function work(lab: Lab, gate: GatePeer): Promise<void> {
  const common = { authorization: lab.authorization, connections: 16, seconds: lab.quick ? 1 : 4 };
  const before = (await gate.counted?.()) ?? {};
  let answers = 0;
  for (const page of ['two', 'exporter']) {
    answers += (await runWrk({ ...common, url: `${gate.url}/federate?page=${page}` })).requests;
  }
  const agent = lab.agent();
  const headers = { 'accept-encoding': 'gzip' };
  const url = `${gate.url}/federate?page=big`;
  for (let round = 0; round < (lab.quick ? 2 : 6); round++) {
    const { status, body } = await fetchOnce({ url, authorization: lab.authorization, agent, headers });
    const whole = gunzipSync(body).equals(lab.pages.big);
    if (status !== 200 || !whole) throw new LoadFailed(`the big page is answered ${status}, ${body.length} bytes`);
    answers += 1;
  }
  agent.destroy();
  agree('answers of the gate', answers, since(before, (await gate.counted?.()) ?? {})['200'] ?? 0);
}

export const memory: Row = {
  name: 'memory',
  title: 'Memory',
  method:
    'Resident memory of the gate 15 s after its first answer, 15 s after 2-byte, 60 KB and gzipped 17 MB answers over 16 connections, and at its peak.',
  async run(lab) {
    const lines: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const { name, path } of nodes()) {
      const gate = await startGate(lab, { node: path });
      try {
        await delay(SETTLE_MS);
        const idle = residentBytes(gate.pid);
        await work(lab, gate);
        await delay(SETTLE_MS);
        const after = residentBytes(gate.pid);
        lines.push([name, mebibytes(idle), mebibytes(after), mebibytes(peakBytes(gate.pid))]);
        verdicts.push(atMost(`${IDLE_MB} MB idle, ${name}`, IDLE_MB * MEBIBYTE, idle, mebibytes(idle)));
        verdicts.push(atMost(`${AFTER_MB} MB after the work, ${name}`, AFTER_MB * MEBIBYTE, after, mebibytes(after)));
      } finally {
        await stopAll([gate]);
      }
    }
    return { verdicts, header: ['Node.js', 'idle', 'after the work', 'at its peak'], lines };
  },
};
