// Two projects: unit (pure code and sockets of this process) and e2e (the built program with real servers). Most of a test
// file's time is waiting, for disks, timers and other programs, so there are more of them at once than processors.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const WORKERS = Math.min(8, 2 * availableParallelism());

/** `npm run fuzz` looks for counterexamples, not for what is slow. */
const IS_FUZZ = process.env['PROMGATE_FUZZ_SEED'] !== undefined;
/** Ends as soon as what is waited for is there; a second is not enough where two files are loaded at once. */
const PATIENT = { expect: { poll: { timeout: 10_000 } } };
const BUILT = { ...PATIENT, testTimeout: 60_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    globals: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          ...PATIENT,
          // Against what hangs: no test is meant to come near it, on a busy machine either.
          testTimeout: IS_FUZZ ? 600_000 : 60_000,
          hookTimeout: 60_000,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          ...BUILT,
          maxWorkers: WORKERS,
          // After the unit tests: real servers want the processor for themselves.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
