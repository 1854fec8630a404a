/**
 * The attack, or the accident: an answer that ends early and looks complete. Half a federation that is taken for the whole
 * one makes series vanish. Everybody who shares it sees an error, and a compressed one has no trailer.
 */
import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { curl } from '../support/curl.ts';
import { poll } from '../support/poll.ts';
import { PROTOCOLS, read } from '../request/forward/scrape/reader.ts';
import { setStage } from '../request/forward/scrape/stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const PAGE = Array.from({ length: 50_000 }, (_, index) => `metric_${String(index)} ${String(index)}\n`).join('');

for (const compression of ['gate', 'upstream'] as const) {
  it.each(PROTOCOLS)(`with compression: ${compression}, a cut reaches everybody over %s`, async (protocol) => {
    const { gate, asked } = await setStage({ closing, scrape: { compression } });
    const headers = { 'accept-encoding': 'gzip' };
    const readers = [1, 2].map(() => read(gate, '/federate', { protocol, headers }));
    await poll('both', () => gate.metrics.flying === 2);
    const { response } = await poll('the upstream to be asked', () => asked[0]);
    response.write(PAGE);
    await poll('the first bytes', () => readers.every(({ bytes }) => bytes > 0));
    // And one who comes when it has begun.
    readers.push(read(gate, '/federate', { protocol, headers }));
    await poll('the third', () => readers.every(({ bytes }) => bytes > 0));
    response.destroy();
    for (const reader of readers) {
      expect(await reader.ended()).toBe('cut');
      if (compression === 'gate') expect(() => gunzipSync(reader.body())).toThrow();
    }
    expect(gate.metrics.refusals).toEqual(Array(3).fill('upstream_failed'));
  });
}

it('curl --compressed exits with an error', async () => {
  const { gate, asked } = await setStage({ closing, scrape: { compression: 'gate' } });
  const answers = [curl('--compressed', `${gate.url}/federate`)];
  answers.push(curl('--compressed', '--http2-prior-knowledge', `${gate.http2Url}/federate`));
  await poll('both', () => gate.metrics.flying === 2);
  const { response } = await poll('the upstream to be asked', () => asked[0]);
  response.write(PAGE);
  await once(response, 'drain').catch(() => undefined);
  response.destroy();
  for (const answer of await Promise.all(answers)) expect(answer.exit).not.toBe(0);
});
