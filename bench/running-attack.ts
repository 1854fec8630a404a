/** Runs an attacker as a process of its own, on the processor of the load and behind the scraper. */
import { fileURLToPath } from 'node:url';
import { poll } from '../test/support/poll.ts';
import { runProcess, startProcess } from '../test/support/processes.ts';
import type { Target } from './attacks/attack.ts';
import { behindTheMeter } from './cores.ts';
import { endedWell, LoadFailed } from './proof.ts';

const MAIN = fileURLToPath(new URL('./attacks/main.ts', import.meta.url));
const DEADLINE_MS = 60_000;

/** What the attacker says that it has done. */
export type Counts = Readonly<Record<string, number>>;

export interface RunningAttack {
  /** @throws LoadFailed when it has ended by itself, or badly. */
  stop(): Promise<Counts>;
}

/**
 * Resolves once the attack is under way.
 * @param place puts the command where it does not disturb the measurement.
 * @throws LoadFailed when it never is.
 */
export async function startAttack(name: string, target: Target, place = behindTheMeter): Promise<RunningAttack> {
  const [command, ...argv] = place([process.execPath, '--import', 'tsx', MAIN, name]);
  const attacker = startProcess(command, argv, { input: JSON.stringify(target) });
  const isUnderWay = (): boolean => attacker.stdout().includes('under way\n');
  const began = await poll(`${name} to be under way`, () => isUnderWay() || attacker.exit() !== null, {
    deadlineMs: DEADLINE_MS,
  }).catch(() => false);
  if (!began || !isUnderWay()) {
    const isOver = attacker.exit() !== null;
    await attacker.kill().catch(() => undefined);
    throw new LoadFailed(`the attacker ${name} ${isOver ? 'has ended' : 'does not begin'}:\n${attacker.output()}`);
  }
  return {
    async stop() {
      const isOver = attacker.exit() !== null;
      await letEnd(attacker.pid);
      const exit = await attacker.stop();
      if (isOver) throw new LoadFailed(`the attacker ${name} has ended by itself:\n${attacker.output()}`);
      endedWell(`the attacker ${name}`, { ...exit, stdout: attacker.stdout(), stderr: attacker.stderr() });
      return readCounts(attacker.stdout());
    },
  };
}

/** It has to come to its signal handler; where that is not permitted, it gets there when the processor is free. */
async function letEnd(pid: number): Promise<void> {
  await runProcess('chrt', ['--all-tasks', '--other', '--pid', '0', String(pid)], { deadlineMs: 5_000 });
}

/** The lines `counted NAME COUNT`. */
export function readCounts(text: string): Counts {
  const counts = [...text.matchAll(/^counted (\S+) (\d+)$/gm)];
  return Object.fromEntries(counts.map(([, name = '', count]) => [name, Number(count)]));
}
