/** The gate outlives the reader of its log, a full disk and the end of its file handles, and each leaves a trace. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { curl } from '../support/curl.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';
import { runProcess, startProcess } from '../support/processes.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function gateUnder(...under: readonly string[]): Promise<Gate> {
  const gate = await startGate({
    under,
    scheme: 'http',
    config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
upstreams: [{url: self}]
`,
  });
  cleanups.push(() => gate.stop());
  return gate;
}

/** Asks for what does not exist, which is logged as a refusal. */
async function beRefused(gate: Gate): Promise<void> {
  expect((await curl(`http://127.0.0.1:${gate.port}/none`)).status).toBe(404);
}

async function lost(gate: Gate): Promise<number> {
  return Number(/^promgate_log_lines_lost_total\{reason="write_failed"\} (\d+)$/m.exec(await gate.metrics())?.[1]);
}

it('goes on when the reader of its log leaves, and tells the next reader how many lines are lost', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'promgate-log-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const pipe = join(directory, 'log');
  await runProcess('mkfifo', [pipe]);
  const first = startProcess('cat', [pipe]);
  cleanups.push(() => first.kill());
  const gate = await gateUnder('sh', '-c', `exec "$0" "$@" 2>${pipe}`);
  await poll('the first reader has the log', () => first.stdout().includes('serving'));
  await first.kill();
  await beRefused(gate);
  await beRefused(gate);
  expect(await lost(gate)).toBe(2);

  const second = startProcess('cat', [pipe]);
  cleanups.push(() => second.kill());
  await poll('the log has a reader again', async () => {
    await beRefused(gate);
    return second.stdout().includes('path="/none"') || second.stdout().includes('/none');
  });
  const [notice = ''] = second.stdout().split('\n');
  expect(notice).toContain('log lines lost: they could not be written');
  expect(Number(/lost=(\d+)/.exec(notice)?.[1])).toBe(await lost(gate));
  expect(notice).toContain('code=EPIPE');
  // It also ends in order without one.
  await second.kill();
  expect(await gate.process.stop()).toEqual({ code: 0, signal: null });
});

it('goes on when the disk of its log is full, and counts what is lost', async () => {
  const gate = await gateUnder('sh', '-c', 'exec "$0" "$@" 2>/dev/full');
  const before = await lost(gate);
  expect(before).toBeGreaterThan(0);
  await beRefused(gate);
  expect(await lost(gate)).toBe(before + 1);
});

it('says that no file handle is left, and serves again when there are some', async () => {
  const gate = await gateUnder('prlimit', '--nofile=64:64');
  const sockets: Socket[] = [];
  // Again whenever one ends: what the gate accepts and what it closes by itself look the same from here.
  const fill = (): void => {
    const socket = connect({ host: '127.0.0.1', port: gate.port });
    socket.on('error', () => undefined).once('close', () => setImmediate(() => isFilling && fill()));
    sockets.push(socket);
  };
  let isFilling = true;
  for (let count = 0; count < 50; count += 1) fill();
  await poll('the line in the log', () => gate.logs().includes('no file handle is left'), { deadlineMs: 30_000 });
  expect(gate.logs()).toContain('code=EMFILE');
  isFilling = false;
  for (const socket of sockets) socket.destroy();
  await poll('the line of its end', () => gate.logs().includes('there are enough file handles again'), {
    deadlineMs: 30_000,
  });
  await beRefused(gate);
  expect(await gate.metrics()).toContain('promgate_file_handles_exhausted 0');
  expect(await gate.metrics()).toContain('process_max_fds 64');
});
