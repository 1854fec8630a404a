/** Sockets that systemd hands over (LISTEN_FDS): a restart refuses no connection, and what is served is what was judged. */
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { curl } from '../support/curl.ts';
import { freePort } from '../support/free-port.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';

const HOLDER = fileURLToPath(new URL('../support/socket-holder.pl', import.meta.url));
const MAIN = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

let gate: Gate | undefined;
afterEach(async () => {
  await gate?.stop();
  gate = undefined;
});

it('refuses no connection through two restarts', async () => {
  const port = await freePort();
  const started = await startGate({
    scheme: 'http',
    under: [findProgram('perl'), HOLDER, String(port)],
    config: ({ adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
upstreams: [{url: self}]
`,
  });
  gate = started;
  const pids = (): number[] => [...started.process.stdout().matchAll(/^pid (\d+)$/gm)].map(([, pid]) => Number(pid));
  const answers: number[] = [];
  let isAsking = true;
  const asking = (async (): Promise<void> => {
    while (isAsking) {
      const { exit, status } = await curl('--max-time', '30', `http://127.0.0.1:${port}/metrics`);
      answers.push(exit === 0 ? status : -(exit ?? 1));
    }
  })();
  for (let restarts = 1; restarts <= 2; restarts += 1) {
    const before = answers.length;
    await poll('some answers', () => answers.length > before + 3, { deadlineMs: 30_000 });
    process.kill(pids().at(-1) ?? 0, 'SIGTERM');
    await poll('the next start', () => pids().length === restarts + 1, { deadlineMs: 30_000 });
  }
  const before = answers.length;
  await poll('answers of the last one', () => answers.length > before + 3, { deadlineMs: 30_000 });
  isAsking = false;
  await asking;
  expect(answers.filter((answer) => answer !== 200)).toEqual([]);
  expect(started.logs().split('msg=serving').length - 1).toBe(3);
});

it('does not start with a socket that listen_addresses does not have', async () => {
  const [held, port] = [await freePort(), await freePort()];
  const { code, stderr } = await runProcess(findProgram('bash'), [
    '-c',
    `cd "$(mktemp -d)" && printf 'listen_addresses: ["127.0.0.1:${port}"]\\nadmin_address: 127.0.0.1:0\\nupstreams: [{url: self}]\\n' > promgate.yml
${findProgram('perl')} ${HOLDER} ${held} ${process.execPath} ${MAIN} run`,
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain(
    `the socket "promgate.socket" that systemd hands over is not in listen_addresses: 127.0.0.1:${held}`,
  );
});
