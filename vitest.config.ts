// Three projects: unit (pure code and sockets of this process), e2e (the built program with real servers), and alone (what
// takes the ports that are the program's defaults). Most of a test file's time is waiting, so two run at once.
import { defineConfig } from 'vitest/config';

const ALONE = ['test/e2e/npm-start.test.ts', 'test/e2e/readme.test.ts'];
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
          testTimeout: 20_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ALONE,
          ...BUILT,
          maxWorkers: 2,
          // After the unit tests: real servers want the processor for themselves.
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: 'alone', include: ALONE, ...BUILT, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
});
