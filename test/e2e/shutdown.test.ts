/** The end of the gate: it says that it leaves, takes nothing new, finishes what is in flight, and ends with code 0. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { poll } from '../support/poll.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

describe('SIGTERM', () => {
  let slow: Server;
  let scene: Scene;
  const waiting: ServerResponse[] = [];

  beforeEach(async () => {
    // It answers when the test says so.
    slow = createServer((_request, response) => waiting.push(response)).listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const { port } = slow.address() as AddressInfo;
    scene = await startScene({
      yaml: `
upstreams: [{url: "http://127.0.0.1:${port}", kind: any}]
drain_timeout: 2s
shutdown_delay: 1s`,
    });
  });
  afterEach(async () => {
    await scene.stop();
    slow.closeAllConnections();
    slow.close();
    waiting.length = 0;
  });

  it.each(['--http1.1', '--http2'])(
    'lets the answer in flight end, and says before that it leaves (%s)',
    async (version) => {
      const inFlight = scene.ask('/slow', version);
      await poll('the request upstream', () => waiting.length === 1);
      scene.gate.process.signal('SIGTERM');
      await poll('not ready', async () => (await fetch(`${scene.gate.adminUrl}/-/ready`)).status === 503);
      await poll('the end of listening', async () => (await scene.askAsStranger('/', '--max-time', '1')).exit === 7);
      waiting[0]?.end('late but whole');
      expect(await inFlight).toMatchObject({ exit: 0, status: 200, body: 'late but whole' });
      expect(await scene.gate.process.exited).toEqual({ code: 0, signal: null });
    },
  );

  it('does not wait for ever: after drain_timeout the answer is cut', async () => {
    const inFlight = scene.ask('/slow');
    await poll('the request upstream', () => waiting.length === 1);
    scene.gate.process.signal('SIGTERM');
    const answer = await inFlight;
    expect(answer.exit).not.toBe(0);
    expect(await scene.gate.process.exited).toEqual({ code: 0, signal: null });
  });
});
