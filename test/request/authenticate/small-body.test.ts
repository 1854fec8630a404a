/** The body of a certificate request: bounded in size and in time. */
import { PassThrough } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import { readSmallBody, SMALL_BODY_DEADLINE_MS } from '../../../src/request/authenticate/small-body.ts';
import type { SmallBody } from '../../../src/request/authenticate/small-body.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function reading(limit = 100) {
  const raw = new PassThrough();
  const clock = createFakeClock();
  const read: SmallBody[] = [];
  const request = { raw } as unknown as FastifyRequest;
  const reply = { raw: {} } as unknown as FastifyReply;
  readSmallBody(request, reply, { limit, expectsContinue: false, clock }, (body) => read.push(body));
  return { raw, clock, read };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it('is given up when it is not whole in time, however regularly it drips, and told once', async () => {
  const { raw, clock, read } = reading();
  for (let at = 0; at < SMALL_BODY_DEADLINE_MS; at += 1000) {
    raw.write('x');
    await turn();
    expect(read).toEqual([]);
    clock.advance(1000);
  }
  expect(read).toEqual([{ kind: 'late' }]);
  raw.end('x');
  await turn();
  expect(read).toHaveLength(1);
});

it('is whole when it ends in time, and its deadline is over then', async () => {
  const { raw, clock, read } = reading();
  raw.end('request');
  Object.assign(raw, { complete: true });
  await turn();
  expect(read).toEqual([{ kind: 'whole', text: 'request' }]);
  clock.advance(SMALL_BODY_DEADLINE_MS);
  expect(read).toHaveLength(1);
});

it('is refused when it grows too large', async () => {
  const { raw, read } = reading(4);
  raw.write('12345');
  await turn();
  expect(read).toEqual([{ kind: 'tooLarge' }]);
});
