/**
 * Host names in `allow`. Resolved every 60 s; an address stays admitted 10 minutes after it left the answer, and the
 * last answer is kept for 24 h through failures. A name that never resolved admits nobody.
 */
import { normalizeAddress } from '../../formats/address-set.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ResolveHost } from '../../lib/resolve-host.ts';
import type { Log, Metrics } from '../../observe/ports.ts';
import type { HostAddresses } from './addresses.ts';

export const REFRESH_MS = 60_000;
export const STAY_AFTER_LEAVING_MS = 10 * 60_000;
export const KEEP_THROUGH_FAILURES_MS = 24 * 3_600_000;
/** A name with more addresses than this is no host of ours; the rest is ignored. */
const MOST_ADDRESSES = 256;

interface HostState {
  /** Address → when it left the answer (monotonic ms); null while it is in it. */
  readonly seen: Map<string, number | null>;
  answeredAt: number | null;
  failing: boolean;
}

export interface HostNamesOptions {
  readonly resolve: ResolveHost;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called when an address was admitted or is so no longer: live connections must be judged again. */
  readonly onChange: () => void;
}

export interface HostNames extends HostAddresses {
  /** Sets the names to follow and resolves the new ones; settles when each was tried once. */
  follow(hosts: readonly string[]): Promise<void>;
  close(): void;
}

/** Takes an answer in: marks who is in it and who has left it. Says whether an address came to be admitted. */
function takeIn(state: HostState, answer: readonly string[], now: number): boolean {
  const present = new Set<string>();
  for (const text of answer.slice(0, MOST_ADDRESSES)) {
    const address = normalizeAddress(text);
    if (address !== null) present.add(address);
  }
  let admitted = false;
  for (const address of present) {
    admitted ||= !state.seen.has(address);
    state.seen.set(address, null);
  }
  for (const [address, leftAt] of state.seen) {
    if (!present.has(address) && leftAt === null) state.seen.set(address, now);
  }
  state.answeredAt = now;
  return admitted;
}

/** Drops addresses that left too long ago, and all of a name that nobody answered for too long. */
function expire(state: HostState, now: number): boolean {
  if (state.answeredAt === null) return false;
  const lost = now - state.answeredAt > KEEP_THROUGH_FAILURES_MS;
  let dropped = false;
  for (const [address, leftAt] of state.seen) {
    if (!lost && (leftAt === null || now - leftAt <= STAY_AFTER_LEAVING_MS)) continue;
    state.seen.delete(address);
    dropped = true;
  }
  return dropped;
}

export function createHostNames({ resolve, clock, log, metrics, onChange }: HostNamesOptions): HostNames {
  const hosts = new Map<string, HostState>();

  const refresh = async (host: string, state: HostState): Promise<boolean> => {
    let changed = false;
    try {
      const answer = await resolve(host);
      changed = takeIn(state, answer, clock.monotonic());
      if (state.failing) log.info({ host }, 'host name of allow resolves again');
      state.failing = false;
      metrics.hostNameResolved(host, true);
    } catch (error) {
      if (!state.failing) {
        const kept = state.seen.size;
        log.warn({ host, kept, error: String(error) }, 'host name of allow does not resolve; its last answer is kept');
      }
      state.failing = true;
      metrics.hostNameResolved(host, false);
    }
    return expire(state, clock.monotonic()) || changed;
  };

  const refreshAll = async (only?: ReadonlySet<string>): Promise<void> => {
    const asked = [...hosts].filter(([host]) => only === undefined || only.has(host));
    const changes = await Promise.all(asked.map(([host, state]) => refresh(host, state)));
    if (changes.includes(true)) onChange();
  };

  const timer = clock.every(REFRESH_MS, () => void refreshAll());
  return {
    has(address) {
      for (const state of hosts.values()) if (state.seen.has(address)) return true;
      return false;
    },
    async follow(names) {
      const wanted = new Set(names);
      for (const host of hosts.keys()) if (!wanted.has(host)) hosts.delete(host);
      const added = new Set([...wanted].filter((host) => !hosts.has(host)));
      for (const host of added) hosts.set(host, { seen: new Map(), answeredAt: null, failing: false });
      if (added.size > 0) await refreshAll(added);
    },
    close() {
      timer.cancel();
      hosts.clear();
    },
  };
}
