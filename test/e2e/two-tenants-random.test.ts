/**
 * Thousands of random questions of one tenant through the real gate to a real Prometheus: built from a grammar, and with
 * mutated bytes. Whatever the gate makes of them, no word of the other tenant comes back.
 */
import fc from '../support/property.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/keep-alive-client.ts';
import type { Answered, Client, Question } from '../support/keep-alive-client.ts';
import type { Scene } from '../support/scene.ts';
import { ALPHA, leaks, OWNER, PICKY, startTenantScene, startTwoTenants } from '../support/two-tenants.ts';
import type { TwoTenants } from '../support/two-tenants.ts';

/** The same ones in every run. */
const SEED = 4711;
const QUESTIONS = 2500;
const AT_ONCE = 8;

const tenant = fc.constantFrom('alpha', 'beta', 'gamma', '.*', '.+', 'a.*|b.*', '');
const label = fc.constantFrom('tenant', 'job', 'zone', 'code', '__name__', 'who');
const name = fc.constantFrom('up', 'only_beta', 'only_alpha', 'requests_total', 'beta:up:sum', 'ALERTS', 'target_info');
const operator = fc.constantFrom('=', '!=', '=~', '!~');
const matcher = fc.tuple(label, operator, tenant).map(([one, sign, value]) => `${one}${sign}"${value}"`);
const braces = fc.array(matcher, { maxLength: 3 }).map((all) => `{${all.join(',')}}`);
const selector = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(name, braces).map(([metric, rest]) => metric + rest) },
  { weight: 1, arbitrary: name },
  { weight: 2, arbitrary: braces },
);
const expression = fc.letrec<{ whole: string }>((tie) => ({
  whole: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    selector,
    fc
      .tuple(fc.constantFrom('sum', 'count', 'absent', 'sort', 'abs', 'info', 'vector', 'scalar'), tie('whole'))
      .map(([call, inner]) => `${call}(${inner})`),
    fc
      .tuple(fc.constantFrom('sum', 'max', 'count'), label, tie('whole'))
      .map(([call, by, inner]) => `${call} by (${by}) (${inner})`),
    fc
      .tuple(tie('whole'), fc.constantFrom('or', 'and', 'unless', '+', '==', '* on(tenant) group_left'), tie('whole'))
      .map((parts) => parts.join(' ')),
    fc
      .tuple(selector, fc.constantFrom('[5m]', '[5m:1m]', ' offset 1s', ' @ end()'))
      .map(([one, range]) => `rate(${one}${range})`),
    tie('whole').map((inner) => `label_replace(${inner}, "tenant", "x", "job", ".*") # comment`),
  ),
})).whole;

const parameter = fc.tuple(
  fc.constantFrom('query', 'match[]', 'match%5B%5D', 'match', 'time', 'start', 'end', 'step', 'limit', 'type', 'x'),
  fc.oneof(
    { weight: 6, arbitrary: fc.oneof(expression, selector).map(encodeURIComponent) },
    { weight: 1, arbitrary: fc.constantFrom('1', '0', '4000000000', '', '%', '%zz', '%00', ';', '%3B', '%FF', '+') },
  ),
);
const query = fc
  .tuple(fc.array(parameter, { maxLength: 4 }), fc.constantFrom('&', '&', '&', '&', ';', '&&', '%26'))
  .map(([all, separator]) => all.map(([key, value]) => `${key}=${value}`).join(separator));

const path = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ...['query', 'query_range', 'query_exemplars', 'series', 'labels', 'label/tenant/values'].map(
        (end) => `/api/v1/${end}`,
      ),
      '/federate',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['rules', 'alerts', 'targets', 'metadata', 'status/tsdb', 'label/__name__/values', 'read'].map(
        (end) => `/api/v1/${end}`,
      ),
      ...[
        '/metrics',
        '/node/metrics',
        '/gate/metrics',
        '/gate/federate',
        '/',
        '/graph',
        '/api/v1/query/',
        '/federate/',
      ],
    ),
  },
);

const type = fc.constantFrom(
  ...Array.from({ length: 6 }, () => 'application/x-www-form-urlencoded'),
  'application/x-www-form-urlencoded; charset=utf-8',
  'application/x-www-form-urlencoded; x="',
  'multipart/form-data; boundary=b',
  'text/plain',
);
const asMultipart = (text: string): string =>
  `--b\r\nContent-Disposition: form-data; name="query"\r\n\r\n${text}\r\n--b--\r\n`;

/** Replaces a character, so that what is nearly right is tried too. */
const mutation = fc.option(fc.tuple(fc.nat(200), fc.constantFrom('"', '{', '}', '%', '&', '=', ';', '(', '\\', 'b')), {
  freq: 3,
});

function mutated(text: string, change: readonly [number, string] | null): string {
  if (change === null || text === '') return text;
  const at = change[0] % text.length;
  return text.slice(0, at) + change[1] + text.slice(at + 1);
}

const question: fc.Arbitrary<Question> = fc
  .record({
    path,
    query,
    body: fc.option(query, { freq: 2 }),
    type,
    change: mutation,
    accept: fc.constantFrom(
      '*/*',
      'application/json',
      'application/openmetrics-text',
      'application/vnd.google.protobuf',
    ),
  })
  .map(({ path: where, query: asked, body, type: media, change, accept }) => ({
    method: body === null ? 'GET' : 'POST',
    path: where,
    query: mutated(asked, change).replace(/[^\x21-\x7e]/g, ''),
    body:
      body === null ? null : media.startsWith('multipart') ? asMultipart('up{tenant="beta"}') : mutated(body, change),
    headers: { accept, 'accept-encoding': 'identity', ...(body === null ? {} : { 'content-type': media }) },
  }));

let tenants: TwoTenants;
let scene: Scene;
let client: Client;

beforeAll(async () => {
  tenants = await startTwoTenants();
  scene = await startTenantScene(tenants);
  client = createClient(scene, AT_ONCE);
});

afterAll(async () => {
  client.close();
  await scene.stop();
  await tenants.stop();
});

/** The words that the question itself brought along are no leak: an error may quote them, a label may be made of them. */
function isLeak(asked: Question, answered: Answered): boolean {
  if (answered.status !== 200) return /42424[23]/.test(answered.body);
  if (!leaks(answered)) return false;
  const brought = decoded(asked.query) + decoded(asked.body ?? '');
  return !brought.includes('beta') || /42424[23]|beta-zone|job-beta|Beta/.test(answered.body);
}

function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

describe('random questions of a tenant', () => {
  it.each([ALPHA, PICKY])('of %s bring back nothing of the other', async (user) => {
    const questions = fc.sample(question, { seed: SEED, numRuns: QUESTIONS });
    const statuses = new Map<number, number>();
    const worker = async (): Promise<void> => {
      for (let next = questions.pop(); next !== undefined; next = questions.pop()) {
        const answered = await client.ask(user, next);
        statuses.set(answered.status, (statuses.get(answered.status) ?? 0) + 1);
        expect(isLeak(next, answered), JSON.stringify({ next, answered })).toBe(false);
        expect(answered.status, JSON.stringify({ next, answered })).toBeLessThan(500);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    // Enough of them must have been answered, and enough refused, for this to mean anything.
    expect(statuses.get(200) ?? 0).toBeGreaterThan(QUESTIONS / 25);
    for (const status of [400, 403, 415]) expect(statuses.get(status) ?? 0).toBeGreaterThan(10);
  });

  it('would find what leaks', async () => {
    const questions = fc.sample(question, { seed: SEED, numRuns: 300 }).filter(({ method }) => method === 'GET');
    let leaked = 0;
    for (const one of questions) if (isLeak(one, await client.ask(OWNER, one))) leaked += 1;
    expect(leaked).toBeGreaterThan(5);
  });
});
