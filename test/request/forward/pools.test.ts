import type { LookupFunction } from 'node:net';
import { Client } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { Pool } from '../../../src/request/forward/pool.ts';
import type { Line, Waiter } from '../../../src/request/forward/pool.ts';
import { createUpstreamPools } from '../../../src/request/forward/pools.ts';
import { noMetrics } from '../../../src/observe/ports.ts';
import { configOf, upstreamAt, upstreamOf } from '../../support/config-fixture.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

class Recorder implements Waiter {
  readonly party: string;
  line: Line | null = null;
  why: string | null = null;
  idleMs = 0;
  isEventStream = false;
  onYield: () => void = () => undefined;

  constructor(party: string) {
    this.party = party;
  }

  admitted(line: Line): void {
    this.line = line;
  }

  turnedAway(why: string): void {
    this.why = why;
  }

  yieldLine(): void {
    this.why = 'yielded';
    this.onYield();
  }
}

const clients: Client[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.destroy()));
});

function poolOf(maxConnections: number, maxQueue: number) {
  const clock = createFakeClock();
  const makeClient = (): Client => {
    const client = new Client('http://127.0.0.1:9');
    clients.push(client);
    return client;
  };
  const pool = new Pool({ maxConnections, maxQueue, queueTimeoutMs: 100, tickMs: 10, makeClient, clock });
  /** Each is a party of its own unless told otherwise. */
  const enter = (party?: string): Recorder => {
    parties += 1;
    const waiter = new Recorder(party ?? `party ${String(parties)}`);
    pool.enter(waiter);
    waiter.onYield = () => {
      giveBack(waiter, false);
    };
    return waiter;
  };
  const giveBack = (waiter: Recorder, healthy = true): void => {
    pool.giveBack(waiter, waiter.line!, healthy);
  };
  let parties = 0;
  return { pool, clock, enter, giveBack };
}

describe('a pool', () => {
  it('lends as many lines as there may be connections, then queues, then turns away', () => {
    const { enter } = poolOf(2, 1);
    const [first, second, third, fourth] = [enter(), enter(), enter(), enter()];
    expect([first.line, second.line].every((line) => line !== null)).toBe(true);
    expect(third).toMatchObject({ line: null, why: null });
    expect(fourth).toMatchObject({ line: null, why: 'queue full' });
  });

  it('serves the queue first come, first served, and hands a healthy line on', () => {
    const { enter, giveBack } = poolOf(1, 2);
    const [first, second, third] = [enter(), enter(), enter()];
    const line = first.line;
    giveBack(first);
    expect(second.line).toBe(line);
    expect(third.line).toBeNull();
    giveBack(second, false);
    expect(third.line).not.toBeNull();
    expect(third.line).not.toBe(line);
    expect(clients).toHaveLength(2);
  });

  it('turns away who has waited too long, and nobody else', () => {
    const { clock, enter, giveBack } = poolOf(1, 2);
    const first = enter();
    const second = enter();
    clock.advance(60);
    const third = enter();
    clock.advance(50);
    expect([second.why, third.why]).toEqual(['waited too long', null]);
    giveBack(first);
    expect(third.line).not.toBeNull();
    clock.advance(1000);
    expect(third.why).toBeNull();
  });

  it('gives the place of one who leaves to the next', () => {
    const { enter, pool } = poolOf(1, 1);
    enter();
    const left = enter();
    pool.leave(left);
    expect(enter().why).toBeNull();
    expect(pool.queued).toBe(1);
  });

  it('uses an idle line before it opens one', () => {
    const { enter, giveBack } = poolOf(5, 0);
    giveBack(enter());
    giveBack(enter());
    expect(clients).toHaveLength(1);
  });

  it('closes when it is retired and its last request is done, and not when it is wanted again', () => {
    const { enter, giveBack, pool } = poolOf(2, 0);
    let closed = 0;
    const first = enter();
    pool.retire(() => (closed += 1));
    expect(closed).toBe(0);
    pool.revive();
    giveBack(first);
    expect(closed).toBe(0);
    const second = enter();
    pool.retire(() => (closed += 1));
    giveBack(second);
    expect(closed).toBe(1);
    expect(clients.every((client) => client.destroyed)).toBe(true);
  });

  it('turns everybody away and ends its lines when it is destroyed', async () => {
    const { enter, pool } = poolOf(1, 1);
    enter();
    const waiting = enter();
    await pool.destroy();
    expect(waiting.why).toBe('waited too long');
    expect(clients.every((client) => client.destroyed)).toBe(true);
  });

  it('lends one party three quarters of its lines, and the last one to a party that has none', () => {
    for (const [most, share] of [
      [64, 48],
      [8, 6],
      [4, 3],
      [2, 1],
      [1, 1],
    ] as const) {
      const { enter } = poolOf(most, 100);
      const lines = Array.from({ length: most + 1 }, () => enter('greedy')).filter(({ line }) => line !== null);
      expect(lines).toHaveLength(share);
      expect(enter('other').line === null).toBe(most === 1);
    }
  });

  it('serves the parties that wait in turn, first the one that has least', () => {
    const { enter, giveBack } = poolOf(4, 8);
    const held = [enter('a'), enter('a'), enter('a'), enter('b')];
    const [a, b, c] = [enter('a'), enter('b'), enter('c')];
    giveBack(held[0]!);
    expect([a, b, c].map(({ line }) => line !== null)).toEqual([false, false, true]);
    giveBack(held[3]!);
    expect([a, b, c].map(({ line }) => line !== null)).toEqual([false, true, true]);
  });

  it('makes room in a full queue by giving up the newest of the party that has most in it', () => {
    const { enter } = poolOf(1, 3);
    enter();
    const [first, second, third] = [enter('greedy'), enter('greedy'), enter('greedy')];
    const other = enter('other');
    expect([first, second, third, other].map(({ why }) => why)).toEqual([null, null, 'queue full', null]);
    expect(enter('other').why).toBe('queue full');
    expect(enter('another').why).toBeNull();
    expect(second.why).toBe('queue full');
  });

  it('takes the line of a party that does not need it for one that has none', () => {
    const { clock, enter } = poolOf(3, 8);
    const [one, two, three] = [enter('a'), enter('a'), enter('b')];
    const own = enter('a');
    two.idleMs = 60;
    clock.advance(10);
    // Its own second request is no reason to end its first.
    expect([one, two, three, own].map(({ why }) => why)).toEqual([null, null, null, null]);
    const other = enter('c');
    clock.advance(10);
    expect([one, two, three].map(({ why }) => why)).toEqual([null, 'yielded', null]);
    expect(other.line).not.toBeNull();
    expect(own.line).toBeNull();
  });

  it('takes a stream of events for a request of the same party', () => {
    const { clock, enter } = poolOf(2, 8);
    const events = enter('a');
    events.isEventStream = true;
    events.idleMs = 60;
    const other = enter('a');
    clock.advance(10);
    expect(events.why).toBe('yielded');
    expect(other.line).not.toBeNull();
  });

  it('tells what it watches how time passes', () => {
    const { pool, clock } = poolOf(1, 1);
    let elapsed = 0;
    const watched = { tick: (ms: number) => (elapsed += ms) };
    pool.watched.add(watched);
    clock.advance(35);
    pool.watched.delete(watched);
    clock.advance(100);
    expect(elapsed).toBe(30);
  });
});

function upstreamPools() {
  const ups: boolean[] = [];
  const metrics = { ...noMetrics, upstreamUp: (_name: string, up: boolean) => ups.push(up) };
  const lookup: LookupFunction = (_host, _options, callback) => callback(new Error('no DNS'), '');
  const pools = createUpstreamPools({ metrics, clock: createFakeClock(), lookup });
  return { pools, ups };
}

describe('the pools', () => {
  it('are one per distinct settings, over reloads', () => {
    const { pools } = upstreamPools();
    const before = pools.of(upstreamAt(1));
    expect(pools.of(upstreamAt(1))).toBe(before);
    expect(pools.of(upstreamAt(1, { authorization: { kind: 'header', value: 'x' }, pathPrefix: '/a' }))).toBe(before);
    expect(pools.of(upstreamAt(2))).not.toBe(before);
    expect(pools.of(upstreamAt(1, { maxConnections: 3 }))).not.toBe(before);
    const tls = { ca: ['PEM'], clientCertificate: null, serverName: null };
    expect(pools.of(upstreamAt(1, { tls }))).not.toBe(before);
  });

  it('stay while any configuration holds them, and are made anew after the last has gone', () => {
    const { pools } = upstreamPools();
    const old = configOf({ upstreams: [upstreamAt(1), upstreamAt(2)] });
    const next = configOf({ upstreams: [upstreamAt(1)] });
    const releaseOld = pools.retain(old);
    const [one, two] = [pools.of(upstreamAt(1)), pools.of(upstreamAt(2))];
    const releaseNext = pools.retain(next);
    releaseOld();
    releaseOld();
    expect(pools.of(upstreamAt(1))).toBe(one);
    expect(pools.of(upstreamAt(2))).not.toBe(two);
    releaseNext();
    expect(pools.of(upstreamAt(1))).not.toBe(one);
  });

  it('have nothing for the gate itself', () => {
    const { pools } = upstreamPools();
    const self = upstreamOf({ address: { kind: 'self' } });
    pools.retain(configOf({ upstreams: [self] }))();
    expect(() => pools.of(self)).toThrow('to itself');
  });

  it('tell the metric the state of an upstream after each request', () => {
    const { pools, ups } = upstreamPools();
    const pool = pools.of(upstreamAt(1));
    for (const up of [true, false, false, true]) pool.report(up);
    expect(ups).toEqual([true, false, false, true]);
  });
});
