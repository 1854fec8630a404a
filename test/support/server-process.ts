/** Starts a real HTTP server on a free port of 127.0.0.1 and waits until it answers. */
import { freePort } from './free-port.ts';
import { poll } from './poll.ts';
import { startProcess } from './processes.ts';
import type { ProcessOptions, RunningProcess } from './processes.ts';

export interface ServerProcess {
  readonly process: RunningProcess;
  readonly port: number;
  /** Without a trailing slash. */
  readonly url: string;
}

export interface ServerProcessOptions extends ProcessOptions {
  readonly command: string;
  readonly argv: (port: number) => readonly string[];
  /** Answers 2xx once the server is ready. */
  readonly readyPath: string;
  readonly port?: number;
  /** Runs before each start, for a configuration file that names the port. */
  readonly prepare?: (port: number) => Promise<void>;
}

const ATTEMPTS = 3;

/** @throws Error with everything that the server printed when it ends or does not become ready within 30 s. */
export async function startServerProcess({
  command,
  argv,
  readyPath,
  prepare,
  ...options
}: ServerProcessOptions): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const url = `http://127.0.0.1:${port}`;
    await prepare?.(port);
    const server = startProcess(command, argv(port), options);
    const state = await poll(
      `${command} answers ${readyPath}`,
      async () => (server.exit() === null ? (await answers(url + readyPath)) && 'ready' : 'ended'),
      { deadlineMs: 30_000 },
    ).catch((error: unknown) => error);
    if (state === 'ready') return { process: server, port, url };
    await server.kill();
    // Another process may have taken the free port in between.
    const portTaken = options.port === undefined && /in use/i.test(server.output());
    if (!portTaken || attempt === ATTEMPTS)
      throw new Error(`${command} did not become ready:\n${server.output()}`, { cause: state });
  }
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.ok;
}
