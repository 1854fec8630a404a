/** Starts real programs, keeps what they print, and ends them by their own pid; none outlives the test run. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** null while it runs. */
  exit(): Exit | null;
  /** What it printed so far. */
  stdout(): string;
  stderr(): string;
  /** Both, in the order of arrival. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when that has not ended it after `graceMs`. */
  stop(graceMs?: number): Promise<Exit>;
  /** SIGKILL. */
  kill(): Promise<Exit>;
}

export interface ProcessOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What it reads from standard input, which then ends; without it standard input is closed. */
  readonly input?: string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startProcess(command: string, argv: readonly string[], options: ProcessOptions = {}): RunningProcess {
  const child = spawn(command, argv, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  let exit: Exit | null = null;
  const text = { stdout: '', stderr: '', output: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
      text.output += chunk;
    });
  }
  // A program that ends without reading its input breaks the pipe; its exit code tells the story.
  child.stdin?.on('error', () => undefined).end(options.input);

  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', (error) => {
      running.delete(child);
      reject(error);
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      exit = { code, signal };
      resolve(exit);
    });
  });
  exited.catch(() => undefined);

  const kill = async (): Promise<Exit> => {
    child.kill('SIGKILL');
    return exited;
  };
  return {
    pid: child.pid ?? -1,
    exited,
    exit: () => exit,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    output: () => text.output,
    signal: (signal) => {
      child.kill(signal);
    },
    kill,
    async stop(graceMs = 15_000) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, which is SIGKILL after `deadlineMs`. */
export async function runProcess(
  command: string,
  argv: readonly string[],
  { deadlineMs = 30_000, ...options }: ProcessOptions & { readonly deadlineMs?: number } = {},
): Promise<Finished> {
  const child = startProcess(command, argv, options);
  const timer = setTimeout(() => {
    child.signal('SIGKILL');
  }, deadlineMs);
  try {
    const exit = await child.exited;
    return { ...exit, stdout: child.stdout(), stderr: child.stderr() };
  } finally {
    clearTimeout(timer);
  }
}
