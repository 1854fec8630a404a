/** Which processor is whose: what is measured runs alone on the first, the load and the static upstream on the second. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Cores {
  readonly measured: string;
  readonly load: string;
}

/** `0-1,4` → 0, 1, 4: the list format of the kernel (cpuset(7)). */
export function parseCpuList(text: string): readonly number[] {
  return text
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first = NaN, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_unused, index) => first + index);
    });
}

/** @throws Error on a machine with one processor: load and server would measure each other. */
export function chooseCores(): Cores {
  const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const [measured, load] = parseCpuList(allowed);
  if (measured === undefined || load === undefined) throw new Error('the bench needs two processors');
  return { measured: String(measured), load: String(load) };
}

/** Moves this process, all its threads, to the processor of the load. */
export function moveToLoad({ load }: Cores): void {
  execFileSync('taskset', ['-a', '-p', '-c', load, String(process.pid)], { stdio: 'ignore' });
}

/**
 * The same command in a scheduling class that runs only while nothing else wants the processor (SCHED_IDLE, sched(7)):
 * a flood and the scraper that measures it share one, and what the scraper waits for must not be the flood's own work.
 */
export function behindTheMeter(argv: readonly string[]): readonly [string, ...string[]] {
  return ['chrt', '--idle', '0', ...argv];
}
