/**
 * Attack: somebody who may ask the same as others (`share: across_identities`) stops reading. Whoever joins the answer waits
 * with them for ever; or, when its beginning is forgotten, everybody is told that there are too many identical scrapes.
 */
import { connect } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createScrapes } from '../../src/request/forward/scrape/scrapes.ts';
import { read } from '../request/forward/scrape/reader.ts';
import { setStage } from '../request/forward/scrape/stage.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A queued answer of HTTP/1.1 takes this much at most: 16 KiB, from Node 22 on 64 KiB. */
const QUEUE_BYTES = getDefaultHighWaterMark(false);
/** With the headers more than that; without them (HTTP/2) less. */
const HEAD = Buffer.alloc(QUEUE_BYTES - 100, 'x');
const REST = Buffer.alloc(200_000, 'y');

it('who joins readers that have all stopped sets the upstream going again', { timeout: 30_000 }, async () => {
  const scrapes = createScrapes({ clock: systemClock });
  const on = await setStage({ closing, scrapes, scrape: { share: 'across_identities' } });
  // The answer behind one that does not end takes no bytes but what fits into its queue.
  const leader = connect(on.gate.port, '127.0.0.1');
  closing.push(async () => void leader.destroy());
  leader.on('error', () => undefined);
  for (const path of ['/metrics', '/federate'])
    leader.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nx-who: mallory\r\n\r\n`);
  const { response } = await poll('both questions', () => on.asked.find(({ request }) => request.url === '/federate'));
  response.writeHead(200, { 'content-type': 'text/plain' }).write(HEAD);
  await poll('the beginning in the gate', () => scrapes.usedBytes >= HEAD.length);
  const before = scrapes.usedBytes;
  // The chunk at which the upstream is held back.
  response.write('.');
  // Where a chunk is as large as the queue, it is held back already.
  if (QUEUE_BYTES < 65_536) await poll('one byte more', () => scrapes.usedBytes > before);
  const other = read(on.gate, '/federate', { protocol: 'HTTP/2', headers: { 'x-who': 'prometheus' } });
  await poll('the beginning', () => other.bytes === HEAD.length + 1);
  response.end(REST);
  await poll('the rest', () => other.end !== 'open', { deadlineMs: 5000 });
  expect(other.end).toBe('whole');
  expect(other.bytes).toBe(HEAD.length + 1 + REST.length);
});

it('answers that one identity holds open are not in the way of another', { timeout: 30_000 }, async () => {
  const much = Buffer.alloc(3_000_000, 'x');
  const on = await setStage({
    closing,
    scrape: { share: 'across_identities' },
    scrapes: createScrapes({ clock: systemClock, totalBytes: 8_000_000 }),
    answer: (_request, response) => void response.write(much),
  });
  // Others of the same size, until the beginning of both is forgotten.
  for (const query of ['', '?a', '?b', '', '?c', '?d', '?e', '?f', '?g', '']) {
    const reader = read(on.gate, `/federate${query}`, { headers: { 'x-who': 'mallory' }, discard: true });
    await poll('most of it', () => reader.bytes === much.length || reader.status === 503);
  }
  const other = read(on.gate, '/federate', { headers: { 'x-who': 'prometheus' }, discard: true });
  expect(await other.opened()).toBe(200);
});
