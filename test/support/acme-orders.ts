/** An issuer with its state in memory, and an order that says what it did. */
import { systemClock } from '../../src/lib/clock.ts';
import type { AccountStore } from '../../src/tls/acme/account.ts';
import type { AcmeDirectory, ChallengeSettings, WantedCertificate } from '../../src/tls/acme/contract.ts';
import { createAnswerer } from '../../src/tls/acme/challenges/answerer.ts';
import { createIssuer, type IssuerPorts } from '../../src/tls/acme/issuer.ts';
import type { Clock } from '../../src/lib/clock.ts';

export interface MemoryAccounts extends AccountStore {
  readonly keys: Map<string, string>;
}

export function memoryAccounts(): MemoryAccounts {
  const keys = new Map<string, string>();
  return {
    keys,
    readAccountKey: async (url) => keys.get(url) ?? null,
    async writeAccountKey(url, key) {
      if (!keys.has(url)) keys.set(url, key);
      return keys.get(url)!;
    },
  };
}

/** Time that runs `factor` times as fast: deadlines of minutes pass in seconds. */
export function hurriedClock(factor: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * factor,
    after: (ms, callback, options) => systemClock.after(ms / factor, callback, options),
    every: (ms, callback) => systemClock.every(ms / factor, callback),
  };
}

export interface Ordered {
  readonly cert: string;
  readonly key: string;
  /** `step: detail` of every report of progress. */
  readonly progress: readonly string[];
}

export interface OrderOptions {
  readonly names: readonly string[];
  readonly keyType?: WantedCertificate['keyType'];
  readonly profile?: string | null;
  readonly replaces?: string | null;
  readonly signal?: AbortSignal;
}

export interface TestIssuer {
  readonly accounts: MemoryAccounts;
  readonly issuer: ReturnType<typeof createIssuer>;
  order(directory: AcmeDirectory, options: OrderOptions): Promise<Ordered>;
}

/** Kills a group of processes as the command line's wiring does. */
export const hookPorts = {
  clock: systemClock,
  environment: { PATH: process.env['PATH'] ?? '' },
  killGroup(pid: number): void {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      return;
    }
  },
};

export function createTestIssuer(
  challenge: ChallengeSettings | IssuerPorts['challenge'],
  options: { readonly clock?: Clock; readonly accounts?: MemoryAccounts; readonly email?: string } = {},
): TestIssuer {
  // Pebble's shortest Retry-After is a second.
  const { clock = hurriedClock(5), accounts = memoryAccounts(), email = 'ops@example.com' } = options;
  const issuer = createIssuer({
    clock,
    accounts,
    email,
    challenge: 'kind' in challenge ? createAnswerer(challenge, { ...hookPorts, clock }) : challenge,
  });
  return {
    accounts,
    issuer,
    async order(directory, { names, keyType = 'p256', profile = null, replaces = null, signal }) {
      const progress: string[] = [];
      const issued = await issuer.order({
        directory,
        wanted: { names, keyType, profile },
        replaces,
        signal: signal ?? new AbortController().signal,
        progress: (step, detail) => progress.push(`${step}: ${detail}`),
      });
      return { ...issued, progress };
    },
  };
}
