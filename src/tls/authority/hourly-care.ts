/**
 * Looks after files while the gate runs: soon after a configuration has come to run, then every hour, one after the
 * other. What goes wrong with one is told and keeps no other from its turn.
 */
import type { Clock } from '../../lib/clock.ts';
import { oneAtATime } from './one-at-a-time.ts';

const LOOK_MS = 60 * 60_000;
/** Not within the taking over of a configuration: what is written causes the next one. */
const SOON_MS = 1000;

export interface KeeperLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface HourlyCare<T> {
  /** What is looked after from now on; the first look is soon. */
  follow(things: readonly T[]): void;
  /** Looks now; never rejects. */
  look(): Promise<void>;
  close(): void;
}

export function createHourlyCare<T>(ports: {
  readonly clock: Clock;
  lookAt(thing: T): Promise<void>;
  failed(thing: T, reason: string): void;
}): HourlyCare<T> {
  const { clock } = ports;
  let things: readonly T[] = [];
  const look = oneAtATime(async () => {
    for (const thing of things) {
      try {
        await ports.lookAt(thing);
      } catch (error) {
        ports.failed(thing, error instanceof Error ? error.message : 'unknown reason');
      }
    }
  });
  const ticking = clock.every(LOOK_MS, () => void look());
  return {
    follow(next) {
      things = next;
      if (next.length > 0) clock.after(SOON_MS, () => void look());
    },
    look,
    close() {
      things = [];
      ticking.cancel();
    },
  };
}
