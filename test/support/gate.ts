/** The real, built gate in a directory of its own: `node dist/bundle/main.js run`, as operators start it. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { runProcess } from './processes.ts';
import type { Exit, Finished, ProcessOptions, RunningProcess } from './processes.ts';
import { startServerProcess } from './server-process.ts';

const MAIN = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

export interface GatePorts {
  /** Where it serves. */
  readonly port: number;
  readonly adminPort: number;
}

export interface GateOptions {
  /** The text of promgate.yml; it must listen on `127.0.0.1:port` and administer on `127.0.0.1:adminPort`. */
  readonly config: (ports: GatePorts) => string;
  /** Files beside it, by relative path. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly scheme?: 'https' | 'http';
  /** The program; default: dist/bundle/main.js. */
  readonly main?: string;
  /** A command that starts the program, which it gets as its last arguments: `prlimit --nofile=64`, for example. */
  readonly under?: readonly string[];
}

export interface Gate extends GatePorts {
  /** `https://localhost:PORT`, without a trailing slash. */
  readonly url: string;
  readonly adminUrl: string;
  readonly directory: string;
  readonly configFile: string;
  readonly process: RunningProcess;
  /** Everything that it printed. */
  logs(): string;
  /** Its own /metrics. */
  metrics(): Promise<string>;
  /** Runs another command of the program in the gate's directory. */
  command(...argv: readonly string[]): Promise<Finished>;
  /** Ends it by SIGTERM and removes the directory. */
  stop(): Promise<Exit>;
}

/** Runs the program to its end. */
export async function promgate(argv: readonly string[], options: ProcessOptions = {}): Promise<Finished> {
  return runProcess(process.execPath, [MAIN, ...argv], options);
}

/**
 * A first run that looks for a Prometheus at this port and not at the default one, where the machine may have its own;
 * without a port, where none listens.
 */
export async function promgateInit(directory: string, prometheusPort?: number): Promise<Finished> {
  const port = prometheusPort ?? (await freePort());
  return promgate(['init', `--prometheus=http://127.0.0.1:${port}`], { cwd: directory });
}

/** @throws Error with what the gate printed when it does not become ready. */
export async function startGate(options: GateOptions): Promise<Gate> {
  const directory = await mkdtemp(join(tmpdir(), 'promgate-gate-'));
  const configFile = join(directory, 'promgate.yml');
  for (const [name, content] of Object.entries(options.files ?? {})) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content, { mode: 0o600 });
  }
  let port = 0;
  const [command = process.execPath, ...before] = [...(options.under ?? []), process.execPath];
  const server = await startServerProcess({
    command,
    argv: () => [...before, options.main ?? MAIN, 'run', `--config.file=${configFile}`, ...(options.argv ?? [])],
    readyPath: '/-/ready',
    cwd: directory,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    prepare: async (adminPort) => {
      port = await freePort();
      await writeFile(configFile, options.config({ port, adminPort }), { mode: 0o600 });
    },
  });
  return {
    port,
    adminPort: server.port,
    url: `${options.scheme ?? 'https'}://localhost:${port}`,
    adminUrl: server.url,
    directory,
    configFile,
    process: server.process,
    logs: () => server.process.output(),
    metrics: async () => (await fetch(`${server.url}/metrics`)).text(),
    command: (...argv) => promgate(argv, { cwd: directory }),
    async stop() {
      const exit = await server.process.stop();
      await rm(directory, { recursive: true, force: true });
      return exit;
    },
  };
}
