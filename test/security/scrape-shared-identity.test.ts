/**
 * The attack: be given the answer that was made for somebody else, by asking the same question at the same time, or a
 * moment later. Whose answer it is stands in the key, and nothing that a client writes can make two keys one.
 */
import { afterEach, expect, it } from 'vitest';
import { createScrapes } from '../../src/request/forward/scrape/scrapes.ts';
import type { Scrapes } from '../../src/request/forward/scrape/scrapes.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Identity } from '../../src/request/identity.ts';
import type { WrittenQuestion } from '../../src/request/question.ts';
import { identityOf as ruleOf } from '../support/config-fixture.ts';
import { poll } from '../support/poll.ts';
import { startGate } from '../request/forward/gate-fixture.ts';
import { read } from '../request/forward/scrape/reader.ts';
import { setStage } from '../request/forward/scrape/stage.ts';
import type { Stage, StageOptions } from '../request/forward/scrape/stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Answers each request with who asked, as the gate says it upstream, and how often. */
function telling(scrapes: Scrapes, options: Partial<StageOptions> = {}): Promise<Stage> {
  let count = 0;
  return setStage({
    closing,
    scrapes,
    scrape: { maxAgeMs: 60_000 },
    answer: (request, response) => {
      count += 1;
      response.end(`${String(request.headers['x-promgate-user'])} ${String(count)}`);
    },
    ...options,
  });
}

async function answerOf(gate: Stage['gate'], path: string, headers: Record<string, string>): Promise<string> {
  const reader = read(gate, path, { headers });
  expect(await reader.ended()).toBe('whole');
  return reader.body().toString();
}

it('one identity is never given the answer of another, in flight or kept', async () => {
  const on = await setStage({ closing, scrape: { maxAgeMs: 60_000 } });
  const names = ['a', 'b', 'a"', 'a,"b', '["a"]', 'anonymous', ''];
  const readers = names.map((name) => ({ name, reader: read(on.gate, '/federate', { headers: { 'x-who': name } }) }));
  await poll('one upstream request each', () => on.asked.length === names.length);
  for (const { request, response } of on.asked) response.end(String(request.headers['x-promgate-user']));
  for (const { name, reader } of readers) {
    expect(await reader.ended()).toBe('whole');
    expect(decodeURIComponent(reader.body().toString())).toBe(name);
    expect(decodeURIComponent(await answerOf(on.gate, '/federate', { 'x-who': name }))).toBe(name);
  }
  expect(on.asked).toHaveLength(names.length);
});

it('an entry that is called like a password user is not that user', async () => {
  const kinds: Record<string, Identity['claim']> = {
    user: { kind: 'open' },
    entry: { kind: 'rule', rule: ruleOf({ name: 'password:bob' }) },
  };
  const on = await telling(createScrapes({ clock: systemClock }), {
    identityOf: ({ headers }) => ({
      name: 'password:bob',
      label: 'bob',
      user: 'bob',
      certificate: null,
      claim: kinds[String(headers['x-who'])] ?? { kind: 'open' },
    }),
  });
  expect(await answerOf(on.gate, '/federate', { 'x-who': 'user' })).toBe('password:bob 1');
  expect(await answerOf(on.gate, '/federate', { 'x-who': 'entry' })).toBe('password:bob 2');
});

it('an answer to a narrowed question is given to nobody whose question was narrowed otherwise', async () => {
  let enforced: string | null = '{tenant="a"}';
  const on = await telling(createScrapes({ clock: systemClock }), {
    scrape: { maxAgeMs: 60_000, share: 'across_identities' },
    before: (passage) => {
      const question: WrittenQuestion = {
        method: 'GET',
        query: '',
        body: null,
        enforced: enforced ?? '',
        filter: null,
      };
      if (enforced !== null) passage.question = question;
      return true;
    },
  });
  expect(await answerOf(on.gate, '/federate', {})).toBe('undefined 1');
  enforced = '{tenant="b"}';
  expect(await answerOf(on.gate, '/federate', {})).toBe('undefined 2');
  enforced = null;
  expect(await answerOf(on.gate, '/federate', {})).toBe('undefined 3');
  enforced = '{tenant="a"}';
  expect(await answerOf(on.gate, '/federate', {})).toBe('undefined 1');
});

it('a header that may choose a tenant upstream makes it another question', async () => {
  const on = await telling(createScrapes({ clock: systemClock }), { upstream: { kind: 'any' } });
  expect(await answerOf(on.gate, '/federate', { 'x-scope-orgid': 'a' })).toBe('anonymous 1');
  expect(await answerOf(on.gate, '/federate', { 'x-scope-orgid': 'b' })).toBe('anonymous 2');
  expect(await answerOf(on.gate, '/federate', { 'x-scope-orgid': 'a' })).toBe('anonymous 1');
});

it('two upstreams never share, whatever their names', async () => {
  const scrapes = createScrapes({ clock: systemClock });
  const on = await telling(scrapes);
  const twin = await startGate({ upstream: { ...on.gate.upstream, pathPrefix: '/other' }, scrapes });
  closing.push(() => twin.close());
  expect(await answerOf(on.gate, '/federate', {})).toBe('anonymous 1');
  expect(await answerOf(twin, '/federate', {})).toBe('anonymous 2');
});

it('after a change of the configuration nobody is given what was asked before it, in flight or kept', async () => {
  const scrapes = createScrapes({ clock: systemClock });
  const on = await setStage({ closing, scrapes, scrape: { maxAgeMs: 60_000 } });
  const before = read(on.gate, '/federate');
  await poll('the upstream to be asked', () => on.asked.length === 1);
  const next = await startGate({ upstream: on.gate.upstream, scrapes, config: { generation: 2 } });
  closing.push(() => next.close());
  const after = read(next, '/federate');
  await poll('the upstream to be asked again', () => on.asked.length === 2);
  for (const [index, { response }] of on.asked.entries()) response.end(String(index));
  expect([await before.ended(), await after.ended()]).toEqual(['whole', 'whole']);
  expect([before.body().toString(), after.body().toString()]).toEqual(['0', '1']);
  expect(await answerOf(next, '/federate', {})).toBe('1');
});
