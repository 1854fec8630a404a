/** Programs under measurement: pinned to a processor, their output in a file, their cost from /proc; ended by their own pid. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Pinned {
  readonly pid: number;
  /** The end of what it printed. */
  output(): string;
  exited(): boolean;
  /** SIGTERM, and SIGKILL after 5 s. */
  stop(): Promise<void>;
}

export interface PinnedOptions {
  readonly core: string;
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const GRACE_MS = 5_000;
const SHOWN_OUTPUT = 2_000;
/** sysconf(_SC_CLK_TCK) on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startPinned(command: string, argv: readonly string[], options: PinnedOptions): Pinned {
  const log = openSync(options.logFile, 'a');
  const child = spawn('taskset', ['-c', options.core, command, ...argv], {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.environment },
  });
  closeSync(log);
  running.add(child);
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    const end = (): void => {
      running.delete(child);
      isOver = true;
      resolve();
    };
    child.once('close', end).once('error', end);
  });
  return {
    // taskset(1) becomes the command: it is the same process.
    pid: child.pid ?? -1,
    output: () => readFileSync(options.logFile, 'utf8').slice(-SHOWN_OUTPUT),
    exited: () => isOver,
    async stop() {
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      await over;
      clearTimeout(hard);
    },
  };
}

/** @throws Error with what the program printed when `probe` is not true in time. */
export async function waitFor(server: Pinned, what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await probe().catch(() => false))) {
    if (server.exited() || performance.now() > deadline) throw new Error(`${what} did not start:\n${server.output()}`);
    await delay(5);
  }
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) * 1024;
}

/** Resident memory at its peak, in bytes. */
export function peakBytes(pid: number): number {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) * 1024;
}

/** Processor time so far in seconds, user and system, all threads (proc(5), stat fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
