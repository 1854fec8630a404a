/**
 * The attack: whoever can make the gate crash while it orders (a broken hook, memory, a supervisor that restarts it every
 * few seconds) has it ask for certificates until the CA refuses these names for a week. Or the state is deleted or cut
 * so that nobody knows what was tried.
 */
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AcmeManager } from '../../src/tls/acme/contract.ts';
import { ISSUE_STEP } from '../../src/tls/acme/contract.ts';
import { createAcmeManager } from '../../src/tls/acme/renewal.ts';
import { createStateStore } from '../../src/tls/acme/store.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { createSteppingClock, MINUTE, noAcmeMetrics, settingsOf, settled } from '../support/acme-renewals.ts';
import type { SteppingClock } from '../support/acme-renewals.ts';

let directory: string;
let clock: SteppingClock;
let orders: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'acme-loop-'));
  clock = createSteppingClock();
  orders = 0;
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** One life of the process: it dies in the middle of an order, or is ended after a while without one. */
async function live(life: number): Promise<void> {
  let isOrdering = false;
  const start = `boot+${life}`;
  const manager: AcmeManager = createAcmeManager({
    settings: settingsOf(),
    store: createStateStore({
      directory,
      ownerUid: process.getuid?.() ?? null,
      // The same number each time, as in a container: only the moment of its birth tells the processes apart.
      identity: { pid: 1, place: 'here', startOf: () => Promise.resolve(start) },
      clock,
      log: recordingLog(),
    }),
    issuer: {
      order({ progress }) {
        orders++;
        progress(ISSUE_STEP, 'the CA issues, and nobody is there to see it');
        isOrdering = true;
        return new Promise(() => undefined);
      },
      renewalInfo: () => Promise.resolve(null),
    },
    clock,
    log: recordingLog(),
    metrics: noAcmeMetrics,
    random: () => 0.5,
    onChange: () => undefined,
    predecessors: () => [],
  });
  manager.start();
  // The timer is that of the sleep; while an order runs there is the one that touches the lock.
  await settled(() => isOrdering || clock.untilTimer() !== null);
  clock.forget();
}

it('a gate that dies in each order asks as often as its back-off allows, and never a sixth time in a week', async () => {
  for (let life = 0; life < 12; life++) {
    await live(life);
    clock.advance(10_000);
  }
  // Two minutes of crashing every ten seconds: at the beginning, and after one minute.
  expect(orders).toBe(2);
  for (let life = 12; life < 100; life++) {
    await live(life);
    clock.advance(60 * MINUTE);
  }
  expect(orders).toBe(5);
});

it('a state that was cut counts as a failure, not as a fresh start', async () => {
  await live(0);
  expect(orders).toBe(1);
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.state.json'));
  truncateSync(join(directory, name), 20);
  await live(1);
  expect(orders).toBe(1);
});
