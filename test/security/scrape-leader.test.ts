/**
 * The attack: be the one whose request went upstream, and end it for everybody who shares the answer: leave, have one's
 * connection closed for a revoked certificate, or ask with a time-out that is over at once.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Passage } from '../../src/request/passage.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';
import { PROTOCOLS, read } from '../request/forward/scrape/reader.ts';
import { setStage } from '../request/forward/scrape/stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it.each(['leaves', 'is revoked'])('a leader who %s before the first byte harms nobody', async (how) => {
    const passages: Passage[] = [];
    const { gate, asked } = await setStage({ closing, before: (passage) => passages.push(passage) > 0 });
    const leader = read(gate, '/federate', { protocol });
    const { response } = await poll('the upstream to be asked', () => asked[0]);
    const others = [1, 2].map(() => read(gate, '/federate', { protocol }));
    await poll('all of them', () => gate.metrics.flying === 3);
    if (how === 'leaves') leader.leave();
    else passages[0]?.connection.destroy();
    await poll('the leader to be gone', () => gate.metrics.flying === 2);
    expect(response.closed).toBe(false);
    response.end('up 1\n');
    for (const other of others) {
      expect(await other.ended()).toBe('whole');
      expect(other.body().toString()).toBe('up 1\n');
    }
    expect(asked).toHaveLength(1);
  });

  it('a leader with a time-out of a millisecond harms nobody', async () => {
    const clock = createFakeClock();
    const { gate, asked } = await setStage({ closing, clock });
    const headers = { 'x-prometheus-scrape-timeout-seconds': '0.001' };
    const leader = read(gate, '/federate', { protocol, headers });
    const { response } = await poll('the upstream to be asked', () => asked[0]);
    clock.advance(70);
    const joined = read(gate, '/federate', { protocol, headers });
    const patient = read(gate, '/federate', { protocol });
    await poll('all of them', () => gate.metrics.flying === 3 && asked.length === 2);
    clock.advance(20);
    expect(await leader.opened()).toBe(504);
    expect(response.closed).toBe(false);
    for (const one of asked) one.response.end('up 1\n');
    expect([await joined.ended(), await patient.ended()]).toEqual(['whole', 'whole']);
  });
});
