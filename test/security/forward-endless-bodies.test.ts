/**
 * The attack: one identity opens 32 streams on each of 60 connections, sends 60 KB of a body on each, and never the rest. No
 * body is too large and none waits for the upstream, and 170 MB of them are in memory, for as long as it likes.
 */
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { BodyMemory } from '../../src/request/forward/body-memory.ts';
import { RequestBody } from '../../src/request/forward/request-body.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const KB = 1024;

function scene(limitBytes?: number) {
  const memory = new BodyMemory(limitBytes);
  const clock = createFakeClock();
  const open = (party: string) => {
    const request = Object.assign(new PassThrough({ highWaterMark: 128 * KB }), { headers: {}, complete: true });
    const reasons: unknown[] = [];
    const body = new RequestBody(request as unknown as IncomingMessage, {
      party,
      memory,
      clock,
      limit: 1024 * KB,
      onWanted: () => undefined,
      onBytes: () => undefined,
    });
    body.collect((error) => reasons.push(error === null ? null : (error as { reason?: unknown }).reason));
    return { request, body, reasons };
  };
  return { memory, clock, open };
}

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('bodies that never end hold no more than 32 MiB together, and those of another identity are taken in', async () => {
  const { memory, open } = scene();
  const held: ReturnType<typeof open>[] = [];
  for (let count = 0; count < 1_920; count++) {
    const one = open('= low');
    one.request.write(Buffer.alloc(60 * KB));
    held.push(one);
    if (count % 100 === 0) await turn();
  }
  await turn();
  expect(memory.usedBytes).toBeLessThanOrEqual(32 * KB * KB);
  expect(memory.usedBytes).toBeGreaterThan(31 * KB * KB);
  const given = held.filter(({ reasons }) => reasons.length > 0);
  expect(given.length).toBeGreaterThan(1_300);
  expect(new Set(given.flatMap(({ reasons }) => reasons))).toEqual(new Set(['header_timeout']));
  // The oldest went first.
  expect(held.at(-1)?.reasons).toEqual([]);
  const other = open('= other');
  other.request.end(Buffer.alloc(60 * KB));
  await turn();
  await turn();
  expect(other.reasons).toEqual([null]);
  expect(other.body.destroyed).toBe(false);
  for (const { body } of held) body.destroy();
  other.body.release();
  await turn();
  expect(memory.usedBytes).toBe(0);
});

test('bodies of an identity that still come give way before those that have come', async () => {
  const { open } = scene(150 * KB);
  const whole = open('= low');
  whole.request.end(Buffer.alloc(50 * KB));
  await turn();
  const coming = open('= low');
  coming.request.write(Buffer.alloc(50 * KB));
  await turn();
  const next = open('= low');
  next.request.write(Buffer.alloc(60 * KB));
  await turn();
  expect([whole.reasons, coming.reasons, next.reasons]).toEqual([[null], ['header_timeout'], []]);
});

test('they end within half a minute', async () => {
  const { memory, clock, open } = scene();
  const one = open('= low');
  one.request.write(Buffer.alloc(60 * KB));
  await turn();
  clock.advance(30_000);
  await turn();
  expect(one.reasons).toEqual(['header_timeout']);
  expect(memory.usedBytes).toBe(0);
});
