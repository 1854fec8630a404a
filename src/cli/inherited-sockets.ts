/** Sockets that systemd holds and hands over (sd_listen_fds(3)): they outlive a restart, and no connection is refused. */
import type { InheritedSocket } from '../listen/ports.ts';

/** The first of them: behind standard input, output and error. */
const FIRST = 3;
const MOST = 64;

/**
 * Takes the variables out of the environment, so that no program which the gate starts takes them for its own.
 * @returns none when there are none, or when they are meant for another process.
 */
export function takeInheritedSockets(environment: NodeJS.ProcessEnv, pid: number): readonly InheritedSocket[] {
  const { LISTEN_PID: target, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID'])
    Reflect.deleteProperty(environment, name);
  if (target !== String(pid) || !/^\d{1,4}$/.test(count)) return [];
  const called = names.split(':');
  return Array.from({ length: Math.min(Number(count), MOST) }, (_, index) => {
    return { fd: FIRST + index, name: called[index] ?? 'unknown' };
  });
}
