import { EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { BodyMemory } from '../../../src/request/body-memory.ts';
import { RequestBody } from '../../../src/request/forward/request-body.ts';
import { announcedLength } from '../../../src/request/message.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { poll } from '../../support/poll.ts';

interface Ending {
  readonly complete?: boolean;
  readonly stream?: { aborted: boolean; rstCode: number };
}

function bodyOf(ending: Ending, limit = 100, memory = new BodyMemory()) {
  const clock = createFakeClock();
  const request = Object.assign(new PassThrough(), { headers: {}, ...ending });
  const counted: number[] = [];
  let wanted = 0;
  const body = new RequestBody(request as unknown as IncomingMessage, {
    limit,
    party: '= a',
    memory,
    clock,
    onWanted: () => (wanted += 1),
    onBytes: (count) => counted.push(count),
  });
  return { request, body, counted, clock, wanted: () => wanted };
}

describe('a request body', () => {
  it('is read when it is wanted, counted, and ends with its request', async () => {
    const { request, body, counted, wanted } = bodyOf({ complete: true });
    request.write('abc');
    request.end('de');
    expect(wanted()).toBe(0);
    const chunks: Buffer[] = [];
    body.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(body, 'end');
    expect(Buffer.concat(chunks).toString()).toBe('abcde');
    expect([wanted(), counted]).toEqual([1, [3, 2]]);
  });

  it.each([
    ['HTTP/2, reset by its client', { stream: { aborted: true, rstCode: 8 } }],
    ['HTTP/2, reset after its own end', { stream: { aborted: false, rstCode: 8 } }],
    ['HTTP/1.1, cut short', { complete: false }],
  ])('that ends on %s, is an error and no end', async (_name, ending) => {
    const { request, body } = bodyOf(ending);
    let ended = false;
    body.on('end', () => (ended = true)).resume();
    const failed = once(body, 'error');
    request.end('half');
    expect(await failed).toMatchObject([{ reason: 'bad_framing' }]);
    expect(ended).toBe(false);
  });

  it('that does not come within half a minute is an error; one that is taken in is not', async () => {
    const slow = bodyOf({ complete: false });
    const told: (Error | null)[] = [];
    slow.body.collect((error) => told.push(error));
    slow.request.write('ha');
    slow.clock.advance(29_999);
    expect(told).toEqual([]);
    slow.clock.advance(1);
    await poll('the deadline', () => told.length === 1);
    expect(told[0]).toMatchObject({ reason: 'header_timeout' });
    const whole = bodyOf({ complete: true });
    whole.body.collect((error) => told.push(error));
    whole.request.end('whole');
    await poll('taken in', () => told.length === 2);
    whole.clock.advance(60_000);
    expect(told[1]).toBeNull();
    expect(whole.body.destroyed).toBe(false);
  });

  it('that is closed before its end is an error', async () => {
    const { request, body } = bodyOf({ complete: false });
    body.resume();
    const failed = once(body, 'error');
    request.write('half');
    request.destroy();
    expect(await failed).toMatchObject([{ reason: 'bad_framing' }]);
  });

  it('is an error one byte above the limit, and none at it', async () => {
    const at = bodyOf({ complete: true }, 4);
    at.body.resume();
    at.request.end('1234');
    await once(at.body, 'end');
    const above = bodyOf({ complete: true }, 4);
    above.body.resume();
    const failed = once(above.body, 'error');
    above.request.end('12345');
    expect(await failed).toMatchObject([{ reason: 'body_too_large' }]);
  });

  it('leaves the request alone when it is destroyed: the answer to it is still to be sent', async () => {
    const { request, body } = bodyOf({ complete: true });
    body.resume();
    request.write('abc');
    await once(body, 'data');
    body.destroy();
    await once(body, 'close');
    expect(request.destroyed).toBe(false);
    expect(request.isPaused()).toBe(true);
  });
});

describe('the announced length', () => {
  it.each([
    [undefined, null],
    ['0', 0],
    ['12', 12],
    ['12a', null],
    ['-1', null],
    ['10000000000000000000', 1e19],
  ])('of %j is %j', (value, length) => {
    const request = Object.assign(new EventEmitter(), { headers: { 'content-length': value } });
    expect(announcedLength(request as unknown as IncomingMessage)).toBe(length);
  });
});
