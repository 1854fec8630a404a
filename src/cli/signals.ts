/**
 * Signals: SIGHUP reloads; the first SIGTERM or SIGINT shuts down in order, a later one ends the process at once. SIGUSR1,
 * by which Node opens its debugger to every user of the host, does nothing (debugger-off.ts) and is told.
 */
import type { Clock } from '../lib/clock.ts';

export interface Signals {
  /** Settles with the name of the first signal that asks for the end. */
  readonly ended: Promise<NodeJS.Signals>;
  close(): void;
}

const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
/** A terminal sends SIGINT to npm and to us, and npm forwards its own: two this close together are one wish. */
const ONE_WISH_MS = 1_000;

export interface SignalHandlers {
  onHangup(this: void): void;
  onDebugRequest(this: void): void;
}

export function watchSignals(clock: Clock, { onHangup, onDebugRequest }: SignalHandlers): Signals {
  let firstAt: number | null = null;
  let settle: (signal: NodeJS.Signals) => void;
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    settle = resolve;
  });
  const onEnding = (signal: NodeJS.Signals): void => {
    const now = clock.monotonic();
    if (firstAt === null) {
      firstAt = now;
      settle(signal);
    } else if (now - firstAt > ONE_WISH_MS) {
      process.exit(1);
    }
  };
  process.on('SIGHUP', onHangup);
  process.on('SIGUSR1', onDebugRequest);
  for (const signal of ENDING) process.on(signal, onEnding);
  return {
    ended,
    close() {
      process.off('SIGHUP', onHangup);
      process.off('SIGUSR1', onDebugRequest);
      for (const signal of ENDING) process.off(signal, onEnding);
    },
  };
}
