/**
 * The attack: take more than one's caps allow without being seen. Ask for the answer in parts; ask for it compressed, so
 * that nobody can count it; ask for a format that is not known; ask by HEAD, for which an exporter works as much; join the scrape of somebody who may have more; or begin
 * scrapes and leave, again and again, until the count of those under way is wrong one way or the other: then the next is
 * let through, or the identity has locked itself out.
 */
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Caps } from '../../src/config/config.ts';
import type { Identity } from '../../src/request/identity.ts';
import { identityOf } from '../support/config-fixture.ts';
import { poll } from '../support/poll.ts';
import { PROTOCOLS, read } from '../request/forward/scrape/reader.ts';
import { identity, setStage } from '../request/forward/scrape/stage.ts';

const NONE: Caps = { bytes: null, series: null, durationMs: null, concurrentScrapes: null };
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const PAGE = Buffer.from('series{of="the upstream"} 1\n'.repeat(1000));
const TEXT = { 'content-type': 'text/plain; version=0.0.4' };

/** `small` may have ten series, everybody else what there is. */
function whoIs(name: string): Identity {
  const caps = name === 'small' ? { ...NONE, series: 10, concurrentScrapes: 2 } : NONE;
  return { ...identity(name), claim: { kind: 'rule', rule: identityOf({ name, caps }) } };
}

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it.each([
    ['in parts', { range: 'bytes=0-99' }],
    ['compressed', { 'accept-encoding': 'gzip' }],
    ['under a condition', { 'if-none-match': '"x"', 'accept-encoding': 'gzip' }],
    ['in a format that nobody knows', { accept: 'application/json' }],
    ['in protobuf as text', { accept: 'application/vnd.google.protobuf;encoding=text' }],
  ])('the answer %s is no way around the cap, even if the upstream would', async (_what, headers) => {
    const { gate } = await setStage({
      closing,
      identityOf: () => whoIs('small'),
      answer: (request, response) => {
        const { range, accept } = request.headers;
        if (range !== undefined) response.writeHead(206, TEXT).end(PAGE.subarray(0, 100));
        else if (request.headers['accept-encoding']?.includes('gzip') === true) {
          response.writeHead(200, { ...TEXT, 'content-encoding': 'gzip' }).end(gzipSync(PAGE));
        } else response.writeHead(200, accept === undefined ? TEXT : { 'content-type': accept }).end(PAGE);
      },
    });
    const reader = read(gate, '/metrics', { protocol, headers });
    expect([await reader.ended(), reader.status]).toEqual(['whole', 422]);
    expect(gate.metrics.refusals).toEqual(['cap_series']);
  });

  it('the answer of somebody who may have more is judged by the caps of who joins it', async () => {
    const { gate, asked } = await setStage({
      closing,
      scrape: { share: 'across_identities', compression: 'gate', maxAgeMs: 60_000 },
      identityOf: ({ headers }) => whoIs(String(headers['x-who'])),
    });
    const owner = read(gate, '/federate', { protocol, headers: { 'x-who': 'owner' } });
    const { response } = await poll('the upstream to be asked', () => asked[0]);
    response.writeHead(200, TEXT).write(PAGE);
    await poll('the first bytes', () => owner.bytes > 0);
    const joining = read(gate, '/federate', { protocol, headers: { 'x-who': 'small' } });
    expect([await joining.ended(), joining.status]).toEqual(['whole', 422]);
    response.end();
    expect(await owner.ended()).toBe('whole');
    const later = read(gate, '/federate', { protocol, headers: { 'x-who': 'small' } });
    expect([await later.ended(), later.status]).toEqual(['whole', 422]);
  });

  it('those that ask by HEAD count with the others', async () => {
    const { gate, asked } = await setStage({ closing, scrape: { share: 'off' }, identityOf: () => whoIs('small') });
    const two = [1, 2].map(() => read(gate, '/metrics', { protocol, method: 'HEAD' }));
    await poll('two to be asked', () => asked.length === 2);
    const third = read(gate, '/metrics', { protocol, method: 'HEAD' });
    expect([await third.ended(), third.status]).toEqual(['whole', 429]);
    for (const { response } of asked) response.writeHead(200, TEXT).end();
    expect(await Promise.all(two.map((reader) => reader.ended()))).toEqual(['whole', 'whole']);
    await poll('both places to be free', () => gate.metrics.flying === 0);
    const later = read(gate, '/metrics', { protocol, method: 'HEAD' });
    await poll('another to be asked', () => asked.length === 3);
    later.leave();
  });

  it('scrapes that are begun and left leave the count as it was', async () => {
    const { gate, asked } = await setStage({ closing, scrape: { share: 'off' }, identityOf: () => whoIs('small') });
    for (let round = 0; round < 5; round++) {
      const readers = Array.from({ length: 6 }, () => read(gate, '/metrics', { protocol }));
      await poll(
        'those that are too many to be refused',
        () => readers.filter(({ status }) => status === 429).length === 4,
      );
      for (const reader of readers) reader.leave();
      await poll('everybody to be gone', () => gate.metrics.flying === 0);
    }
    expect(asked.length).toBeLessThanOrEqual(10);
    const two = [1, 2].map(() => read(gate, '/metrics', { protocol }));
    await poll('two at once', () => gate.metrics.flying === 2);
    const third = read(gate, '/metrics', { protocol });
    expect([await third.ended(), third.status]).toEqual(['whole', 429]);
    for (const reader of two) reader.leave();
  });
});
