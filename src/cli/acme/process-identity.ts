/** Who this process is, for locks that several processes share: by /proc, without which only the id is known. */
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly pid: number;
  readonly place: string;
  startOf(pid: number): Promise<string | null>;
}

/** The field of proc_pid_stat(5) with the time of the start, counted behind the name, which may contain anything. */
const START_FIELD = 19;

export async function processIdentity(): Promise<ProcessIdentity> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return {
    pid: process.pid,
    place: [hostname(), boot.trim(), namespace].join(' ').slice(0, 200),
    async startOf(pid) {
      const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => null);
      if (stat === null) return isAlive(pid) ? 'unknown' : null;
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_FIELD] ?? null;
    },
  };
}

/** Where there is no /proc. A process of another user is one too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
