import { Client } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { Pool } from '../../../src/request/forward/pool.ts';
import type { Line, Waiter } from '../../../src/request/forward/pool.ts';
import { createUpstreamPools } from '../../../src/request/forward/pools.ts';
import { noMetrics } from '../../../src/observe/ports.ts';
import { configOf, upstreamAt, upstreamOf } from '../../support/config-fixture.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

class Recorder implements Waiter {
  line: Line | null = null;
  why: string | null = null;

  admitted(line: Line): void {
    this.line = line;
  }

  turnedAway(why: string): void {
    this.why = why;
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
  const enter = (): Recorder => {
    const waiter = new Recorder();
    pool.enter(waiter);
    return waiter;
  };
  return { pool, clock, enter };
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
    const { pool, enter } = poolOf(1, 2);
    const [first, second, third] = [enter(), enter(), enter()];
    const line = first.line;
    pool.giveBack(line!, true);
    expect(second.line).toBe(line);
    expect(third.line).toBeNull();
    pool.giveBack(line!, false);
    expect(third.line).not.toBeNull();
    expect(third.line).not.toBe(line);
    expect(clients).toHaveLength(2);
  });

  it('turns away who has waited too long, and nobody else', () => {
    const { clock, enter, pool } = poolOf(1, 2);
    const first = enter();
    const second = enter();
    clock.advance(60);
    const third = enter();
    clock.advance(50);
    expect([second.why, third.why]).toEqual(['waited too long', null]);
    pool.giveBack(first.line!, true);
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
    const { enter, pool } = poolOf(5, 0);
    pool.giveBack(enter().line!, true);
    pool.giveBack(enter().line!, true);
    expect(clients).toHaveLength(1);
  });

  it('closes when it is retired and its last request is done, and not when it is wanted again', () => {
    const { enter, pool } = poolOf(2, 0);
    let closed = 0;
    const first = enter();
    pool.retire(() => (closed += 1));
    expect(closed).toBe(0);
    pool.revive();
    pool.giveBack(first.line!, true);
    expect(closed).toBe(0);
    const second = enter();
    pool.retire(() => (closed += 1));
    pool.giveBack(second.line!, true);
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
  const resolveHost = () => Promise.reject(new Error('no DNS'));
  const pools = createUpstreamPools({ metrics, clock: createFakeClock(), resolveHost });
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
