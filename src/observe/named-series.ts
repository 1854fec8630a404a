/**
 * Series with one label whose values come from the configuration: knows which are there, so that it can forget them.
 * What is told of a name before the configuration knows it waits, because parts start before it is described.
 */
import type { Counter, Gauge } from 'prom-client';

export interface NamedSeries {
  /** Runs `set` if the configuration knows the name, else once it does. */
  tell(name: string, set: () => void): void;
  /** From now on only these names exist; the series of the others are removed. */
  keep(names: ReadonlySet<string>): void;
}

const MOST_WAITING = 1024;
const MOST_WAITING_PER_NAME = 4;

/** @param instruments all have the one label `label`. */
export function createNamedSeries(label: string, instruments: readonly (Gauge | Counter)[]): NamedSeries {
  const present = new Set<string>();
  const waiting = new Map<string, (() => void)[]>();
  let known: ReadonlySet<string> = new Set();

  const wait = (name: string, set: () => void): void => {
    const told = waiting.get(name) ?? [];
    if (told.length === 0 && waiting.size >= MOST_WAITING) return;
    waiting.set(name, [...told.slice(1 - MOST_WAITING_PER_NAME), set]);
  };

  return {
    tell(name, set) {
      if (!known.has(name)) {
        wait(name, set);
        return;
      }
      present.add(name);
      set();
    },
    keep(names) {
      known = names;
      for (const name of present) {
        if (names.has(name)) continue;
        for (const instrument of instruments) instrument.remove({ [label]: name });
        present.delete(name);
      }
      const told = [...waiting];
      waiting.clear();
      for (const [name, sets] of told) {
        if (!names.has(name)) continue;
        present.add(name);
        for (const set of sets) set();
      }
    },
  };
}
