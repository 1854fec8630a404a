/**
 * The attack: one identity opens 32 streams on each of 60 connections, sends 60 KB of a body on each, and never the rest; and
 * whatever is closed it opens again. No body is too large and none waits for the upstream, and 170 MB of them are in memory,
 * for as long as it likes; or each costs a handshake, 60 KB of work and a refusal, as often as it likes.
 */
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { BodyMemory } from '../../src/request/body-memory.ts';
import type { HeldBody } from '../../src/request/body-memory.ts';
import { readForm } from '../../src/request/enforce/form-body.ts';
import type { FormBody } from '../../src/request/enforce/form-body.ts';
import { RequestBody } from '../../src/request/forward/request-body.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import { upstreamAt } from '../support/config-fixture.ts';
import { curl } from '../support/curl.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';

const KB = 1024;
const MB = 1024 * KB;

function scene(limitBytes?: number) {
  const memory = new BodyMemory(limitBytes);
  const clock = createFakeClock();
  let readBytes = 0;
  const open = (party: string, announced: number | null = null) => {
    const headers = announced === null ? {} : { 'content-length': String(announced) };
    const request = Object.assign(new PassThrough({ highWaterMark: 128 * KB }), { headers, complete: true });
    const reasons: unknown[] = [];
    const body = new RequestBody(request as unknown as IncomingMessage, {
      party,
      memory,
      clock,
      limit: 1024 * KB,
      onWanted: () => undefined,
      onBytes: (count) => (readBytes += count),
    });
    body.collect((error) => reasons.push(error === null ? null : (error as { reason?: unknown }).reason));
    return { request, body, reasons };
  };
  return { memory, clock, open, readBytes: () => readBytes };
}

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('bodies that never end hold three quarters of 32 MiB, and what is beyond is refused before it is read', async () => {
  const { memory, open, readBytes } = scene();
  const held: ReturnType<typeof open>[] = [];
  for (let count = 0; count < 1_920; count++) {
    const one = open('= low', 62_000);
    one.request.write(Buffer.alloc(60_000));
    held.push(one);
    if (count % 100 === 0) await turn();
  }
  await turn();
  expect(memory.usedBytes).toBeLessThanOrEqual(24 * MB);
  expect(memory.usedBytes).toBeGreaterThan(23 * MB);
  expect(readBytes()).toBeLessThanOrEqual(24 * MB);
  const refused = held.filter(({ reasons }) => reasons.length > 0);
  expect(refused.length).toBeGreaterThan(1_500);
  expect(new Set(refused.flatMap(({ reasons }) => reasons))).toEqual(new Set(['too_many_bodies']));
  // Those that came first are still taken in: nothing was read in vain.
  expect(held[0]?.reasons).toEqual([]);
  const other = open('= other');
  other.request.end(Buffer.alloc(60 * KB));
  await turn();
  await turn();
  expect(other.reasons).toEqual([null]);
  expect(other.body.destroyed).toBe(false);
  for (const { body } of held) body.release();
  other.body.release();
  expect(memory.usedBytes).toBe(0);
});

test('a share is one of their number, too: a body of one byte counts as 4 KiB', () => {
  const { open } = scene();
  let taken = 0;
  while (open('= low', 1).reasons.length === 0 && taken < 20_000) taken += 1;
  expect(taken).toBe((24 * MB) / (4 * KB));
});

test('ten identities that fill their shares leave room for the eleventh, and one of them gives way', async () => {
  const { open, memory } = scene();
  const held: ReturnType<typeof open>[] = [];
  for (let identity = 0; identity < 10; identity++) {
    for (let count = 0; count < 600; count++) held.push(open(`= low${String(identity)}`, 64 * KB));
  }
  for (let count = 0; count < 20; count++) {
    const good = open('= good', 60_000);
    good.request.end(Buffer.alloc(60_000));
    await turn();
    await turn();
    expect(good.reasons).toEqual([null]);
    expect(memory.usedBytes).toBeLessThanOrEqual(32 * MB);
  }
  for (const { body } of held) body.release();
});

test('a body that has come whole gives way only to an identity that has none', async () => {
  const { open } = scene(256 * KB);
  const whole = [0, 1, 2].map(() => open('= low', 64 * KB));
  for (const { request } of whole) request.end(Buffer.alloc(64 * KB));
  await turn();
  await turn();
  expect(open('= small', 64 * KB).reasons).toEqual([]);
  expect(open('= small', 64 * KB).reasons).toEqual(['too_many_bodies']);
  expect(whole[0]?.body.destroyed).toBe(false);
  expect(open('= none', 64 * KB).reasons).toEqual([]);
  expect(whole.map(({ body }) => body.destroyed)).toEqual([true, false, false]);
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

test('forms that the gate reads itself are in the same memory, and leave it', async () => {
  const memory = new BodyMemory(128 * KB);
  const ports = { clock: createFakeClock(), bodies: memory };
  const ask = (party: string) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '30000' };
    const request = Object.assign(new PassThrough(), { headers, complete: true });
    const bodies: FormBody[] = [];
    readForm({ request: request as never, response: {} as never, expectsContinue: false, party }, ports, (body) =>
      bodies.push(body),
    );
    return { request, bodies };
  };
  const all = [0, 1, 2, 3].map(() => ask('= low'));
  expect(all.map(({ bodies }) => bodies)).toMatchObject([[], [], [], [{ reason: 'too_many_bodies' }]]);
  expect(all[3]?.request.listenerCount('data')).toBe(0);
  const good = [ask('= good'), ask('= better')];
  expect(all[0]?.bodies).toMatchObject([{ reason: 'too_many_bodies' }]);
  for (const { request } of [...good, ...all]) request.end('query=up');
  await turn();
  await turn();
  expect(good.map(({ bodies }) => bodies)).toMatchObject([[{ kind: 'read' }], [{ kind: 'read' }]]);
  expect(memory.usedBytes).toBe(0);
});

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A gate in which the share of this host is taken. */
async function full() {
  const clock = createFakeClock();
  const origin = await startOrigin((_request, response) => {
    response.end('done');
  });
  const gate = await startGate({ upstream: upstreamAt(origin.port), clock });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  const held: HeldBody = { party: 'at 127.0.0.1', giveUp: () => undefined };
  while (gate.pools.bodies.admit({ ...held }, 64 * KB));
  return { clock, gate, origin };
}

/** Begins a body that never ends, and reads what comes. */
function begin(port: number): { socket: Socket; text: () => string; isOver: () => boolean } {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let isOver = false;
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.on('close', () => (isOver = true));
  socket.write('POST /api/v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 62000\r\n\r\n');
  socket.write('a'.repeat(30_000));
  return { socket, text: () => text, isOver: () => isOver };
}

test('whoever is refused gets its answer at once, and cannot make a loop of it: its connection stays for a while', async () => {
  const { clock, gate, origin } = await full();
  const attacker = begin(gate.port);
  await poll('the refusal', () => attacker.text().includes('too many request bodies at once'));
  expect(attacker.text()).toMatch(/^HTTP\/1.1 503 /);
  expect(attacker.text()).toMatch(/^connection: close\r$/im);
  expect(origin.requests).toEqual([]);
  const good = await curl('-d', 'query=up', gate.url);
  expect(good.status).toBe(503);
  clock.advance(9_000);
  await turn();
  expect(attacker.isOver()).toBe(false);
  clock.advance(21_000);
  await poll('the end of the connection', attacker.isOver);
});

test('a client that closes, or sends the rest, is not waited for', async () => {
  const { gate } = await full();
  const [leaver, ender] = [begin(gate.port), begin(gate.port)];
  await poll('the refusals', () => [leaver, ender].every(({ text }) => text().includes('503')));
  leaver.socket.end();
  ender.socket.write('a'.repeat(32_000));
  await poll('the end of both', () => leaver.isOver() && ender.isOver());
});
