/**
 * `npm start` in a fresh checkout: it builds, writes a first configuration, serves, and ends with its signal. The
 * dependencies are lent, so that the test needs no registry. The default admin address is always taken, whatever else
 * this machine runs: by another process or by the test itself.
 */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { curl } from '../support/curl.ts';
import { freePort } from '../support/free-port.ts';
import { poll } from '../support/poll.ts';
import { runProcess, startProcess } from '../support/processes.ts';
import type { RunningProcess } from '../support/processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEFAULT_ADMIN_PORT = 9096;
/** It compiles the whole program, also where other tests run beside it. */
const PATIENCE_MS = 300_000;
const CHECKOUT = ['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'src', 'scripts', 'certs/README.md'];
/** npm, and below it the Node that runs this test. */
const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter);

let checkout: string;
/** Holds the default admin address, unless another process does. */
let holder: Server;
const started: RunningProcess[] = [];

beforeAll(async () => {
  holder = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    holder.once('listening', resolve).once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve();
      else reject(error);
    });
    holder.listen(DEFAULT_ADMIN_PORT, '127.0.0.1');
  });
  checkout = mkdtempSync(join(tmpdir(), 'promgate-checkout-'));
  for (const path of CHECKOUT) cpSync(join(ROOT, path), join(checkout, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.stop()));
});

afterAll(() => {
  holder.close();
  rmSync(checkout, { recursive: true, force: true });
});

/**
 * In a session of its own, as in a terminal: its pid is that of the process group. What the error of the first start says
 * is done: the gate takes another admin address.
 */
async function npmStart(): Promise<{ npm: RunningProcess; port: number }> {
  const port = await freePort();
  const argv = ['npm', 'start', '--', `--web.listen-address=127.0.0.1:${port}`];
  const npm = startProcess('setsid', argv, { cwd: checkout, environment: { PATH } });
  started.push(npm);
  const authority = join(checkout, 'certs/ca.crt');
  const state = await poll(
    'the gate answers',
    async () => {
      if (npm.exit() !== null) return 'ended';
      return (await curl('--cacert', authority, `https://localhost:${port}/metrics`)).status === 401 && 'answers';
    },
    { deadlineMs: 150_000, everyMs: 200 },
  );
  if (state === 'answers') return { npm, port };
  if (!npm.output().includes('hint: stop the other process, or set another admin_address')) {
    throw new Error(`npm start has ended:\n${npm.output()}`);
  }
  appendFileSync(join(checkout, 'promgate.yml'), `admin_address: 127.0.0.1:${await freePort()}\n`);
  return npmStart();
}

/** Every file that the first start wrote, with its content. */
function written(): Map<string, string> {
  const files = ['promgate.yml', '.htpasswd', ...readdirSync(join(checkout, 'certs')).map((name) => `certs/${name}`)];
  return new Map(files.map((file) => [file, readFileSync(join(checkout, file), 'utf8')]));
}

it(
  'serves with what it wrote itself, takes its own password and certificate, and ends with SIGTERM to npm',
  async () => {
    const { npm, port } = await npmStart();
    const authority = ['--cacert', join(checkout, 'certs/ca.crt')];
    const certificate = [
      '--cert',
      join(checkout, 'certs/prometheus.crt'),
      '--key',
      join(checkout, 'certs/prometheus.key'),
    ];
    const password = readFileSync(join(checkout, 'initial-password'), 'utf8').trim();
    // The upstream is a Prometheus where one answers on this machine, else the gate itself.
    const path = readFileSync(join(checkout, 'promgate.yml'), 'utf8').includes('path_prefix: /promgate')
      ? '/promgate'
      : '';
    const url = `https://localhost:${port}${path}/metrics`;

    expect(await curl(...authority, '--user', `prometheus:${password}`, url)).toMatchObject({ exit: 0, status: 200 });
    expect(await curl(...authority, ...certificate, url)).toMatchObject({ exit: 0, status: 200 });
    expect(await curl(...authority, '--user', 'prometheus:wrong', url)).toMatchObject({ exit: 0, status: 401 });
    expect(npm.output()).not.toContain(password);
    for (const file of ['certs/ca.key', 'certs/server.key', 'certs/prometheus.key', 'initial-password']) {
      expect(statSync(join(checkout, file)).mode & 0o077, file).toBe(0);
    }

    // As the README has it for a checkout; npm must not ask a registry for a program of that name.
    const environment = { PATH, npm_config_offline: 'true', npm_config_cache: join(checkout, '.npm-cache') };
    const healthy = await runProcess('npx', ['promgate', 'healthcheck'], { cwd: checkout, environment });
    expect(healthy).toMatchObject({ code: 0, stdout: 'promgate is ready\n' });

    npm.signal('SIGTERM');
    expect(await npm.exited).toEqual({ code: 0, signal: null });
    expect((await curl(...authority, url)).exit).toBe(7);
  },
  PATIENCE_MS,
);

it(
  'changes nothing on a second start, builds nothing, and ends with Ctrl-C',
  async () => {
    const before = written();
    const { npm } = await npmStart();
    expect(written()).toEqual(before);
    expect(npm.output()).not.toContain('building');

    // What a terminal does: the whole group gets the signal, and npm passes it on once more.
    process.kill(-npm.pid, 'SIGINT');
    expect(await npm.exited).toEqual({ code: 0, signal: null });
  },
  PATIENCE_MS,
);
