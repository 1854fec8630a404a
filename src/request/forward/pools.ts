/**
 * One pool per distinct upstream settings. Outlives reloads: a configuration that changes nothing about an upstream
 * keeps its connections; a pool that no configuration holds closes when its last request is done.
 */
import type { LookupFunction } from 'node:net';
import type { Config, Upstream } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Metrics } from '../../observe/ports.ts';
import { BodyMemory } from '../body-memory.ts';
import { clientFactory, poolKey } from './connector.ts';
import { Pool } from './pool.ts';

export interface UpstreamPoolsOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Names of upstreams to addresses. */
  readonly lookup: LookupFunction;
}

export interface UpstreamPools {
  /** Holds the pools of a configuration until the returned function is called. */
  retain(config: Config): () => void;
  /** Of requests to all upstreams together. */
  readonly bodies: BodyMemory;
  /** @throws Error for `self`, which has no connections. */
  of(upstream: Upstream): UpstreamPool;
  /** Ends every pool at once. */
  close(): Promise<void>;
}

/** A pool as the exchange sees it, with what is known of the upstream's state. */
export interface UpstreamPool {
  readonly pool: Pool;
  /** Told after each request, for the metric; the log hears of a change from the probes, and of each failed request. */
  report(up: boolean): void;
  retried(): void;
}

interface Entry extends UpstreamPool {
  holders: number;
  closed: boolean;
}

/** Between two looks at silent bodies: a quarter of the time-out, within these. */
const TICK_MS = { least: 20, most: 1000 } as const;

export function createUpstreamPools(options: UpstreamPoolsOptions): UpstreamPools {
  const entries = new Map<string, Entry>();

  const make = (upstream: Upstream): Entry => {
    const { address } = upstream;
    if (address.kind === 'self') throw new Error('the gate has no connections to itself');
    const pool = new Pool({
      maxConnections: upstream.maxConnections,
      maxQueue: upstream.maxQueue,
      queueTimeoutMs: upstream.queueTimeoutMs,
      tickMs: Math.min(TICK_MS.most, Math.max(TICK_MS.least, upstream.bodyTimeoutMs / 4)),
      makeClient: clientFactory(upstream, address, options.lookup),
      clock: options.clock,
    });
    return { pool, holders: 0, closed: false, ...stateOf(upstream.name, options) };
  };

  // The key is long (it holds certificates): one look-up per upstream and configuration, not per request.
  const known = new WeakMap<Upstream, Entry>();
  const find = (upstream: Upstream): Entry => {
    const remembered = known.get(upstream);
    if (remembered?.closed === false) return remembered;
    const key = poolKey(upstream);
    const entry = entries.get(key) ?? make(upstream);
    entries.set(key, entry);
    known.set(upstream, entry);
    return entry;
  };

  return {
    bodies: new BodyMemory(),
    retain(config) {
      const held = config.upstreams
        .filter(({ address }) => address.kind !== 'self')
        .map((upstream) => ({
          key: poolKey(upstream),
          entry: find(upstream),
        }));
      for (const { entry } of held) {
        entry.holders += 1;
        entry.pool.revive();
      }
      let released = false;
      return () => {
        if (released) return;
        released = true;
        for (const { key, entry } of held) {
          entry.holders -= 1;
          if (entry.holders > 0) continue;
          entry.pool.retire(() => {
            entry.closed = true;
            entries.delete(key);
          });
        }
      };
    },
    of: find,
    async close() {
      const all = [...entries.values()];
      entries.clear();
      for (const entry of all) entry.closed = true;
      await Promise.all(all.map(({ pool }) => pool.destroy()));
    },
  };
}

function stateOf(name: string, { metrics }: UpstreamPoolsOptions): Pick<UpstreamPool, 'report' | 'retried'> {
  return {
    report(up) {
      metrics.upstreamUp(name, up);
    },
    retried() {
      metrics.upstreamRetried(name);
    },
  };
}
