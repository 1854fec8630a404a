/**
 * Attack: a process of the same user, a script that means to rotate logs, or `kill -USR1` by mistake sends SIGUSR1. Node
 * then opens its debugger on 127.0.0.1:9229 without a password: every user of the host reads the keys and the passwords of
 * the gate, and runs code in it.
 */
import { readFile, readdir, readlink } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';

let gate: Gate | undefined;
afterEach(async () => {
  await gate?.stop();
});

/** Of the sockets in LISTEN that the process holds, the ports. */
async function listeningPorts(pid: number): Promise<number[]> {
  const handles = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(handles.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  const inodes = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const ports: number[] = [];
  for (const table of ['tcp', 'tcp6']) {
    const text = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] !== '0A' || !inodes.has(fields[9] ?? '')) continue;
      ports.push(Number.parseInt(fields[1]?.split(':')[1] ?? '', 16));
    }
  }
  return ports.sort((a, b) => a - b);
}

async function start(environment: Record<string, string> = {}): Promise<Gate> {
  gate = await startGate({
    scheme: 'http',
    environment,
    config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
upstreams: [{url: self}]
`,
  });
  return gate;
}

describe('SIGUSR1', () => {
  it('opens no debugger, and the gate goes on', async () => {
    const { process: running, port, adminPort, url } = await start();
    for (let count = 1; count <= 3; count += 1) {
      running.signal('SIGUSR1');
      await poll('the signal is told', () => running.output().split('the debugger stays closed').length - 1 === count);
    }
    expect(await listeningPorts(running.pid)).toEqual([port, adminPort].sort((a, b) => a - b));
    expect(running.output()).not.toMatch(/debugger listening/i);
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
  });
});
