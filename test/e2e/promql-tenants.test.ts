/**
 * Thousands of random queries, narrowed to one tenant and sent straight to real Prometheus servers. One has both tenants'
 * series, one only the first tenant's: a narrowed query has the same answer from both, and it is the answer to the query
 * with the matcher written in by its author.
 */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enforceQuery } from '../../src/promql/enforce-query.ts';
import { FUNCTIONS } from '../../src/promql/language.ts';
import { PromqlCorpus } from '../support/promql-corpus.ts';
import { prometheusPrograms } from '../support/programs.ts';
import { NOW, SECRET, startTenantPair, WORDS } from '../support/tenant-blocks.ts';
import type { TenantPair } from '../support/tenant-blocks.ts';

/** Another seed, or more queries: PROMGATE_TEST_SEED=… PROMGATE_TEST_QUERIES=… */
const SEED = Number(process.env['PROMGATE_TEST_SEED'] ?? 20_231_114);
const QUERIES = Number(process.env['PROMGATE_TEST_QUERIES'] ?? 1_000);
const AT_ONCE = 8;
const TENANT = [{ label: 'tenant', operator: '=', value: 't1' } as const];
const CLOSE = 1e-9;

/** What the list has and Prometheus 2.42 refuses by itself. */
const SINCE_2_42 =
  `double_exponential_smoothing histogram_avg histogram_stddev histogram_stdvar mad_over_time sort_by_label
  sort_by_label_desc ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time`.split(/\s+/);

/** What a newer Prometheus 3 than the distribution's may have. */
const SINCE_3_5 = 'first_over_time histogram_quantiles range start_timestamp step ts_of_first_over_time'.split(' ');

interface Answer {
  readonly status: 'success' | 'error';
  readonly errorType?: string;
  readonly error?: string;
  readonly data?: { readonly resultType: string; readonly result: unknown };
}

describe.each(prometheusPrograms())('$name with two tenants, asked directly', ({ name, path: program }) => {
  const newest = name === 'Prometheus 3';
  const agent = new Agent({ keepAlive: true, maxSockets: 2 * AT_ONCE });
  let tenants: TenantPair;

  beforeAll(async () => {
    tenants = await startTenantPair(program, newest);
  });

  afterAll(async () => {
    agent.destroy();
    await tenants.stop();
  });

  /** The text of the answer, so that nothing of it is overlooked. */
  const ask = (server: 'both' | 'alone', query: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const body = new URLSearchParams({ query, time: String(NOW) }).toString();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const asked = request(`${tenants[server].url}/api/v1/query`, { agent, method: 'POST', headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
        response.on('end', () => {
          resolve(Buffer.concat(chunks).toString());
        });
      });
      asked.on('error', reject).end(body);
    });

  it('knows the functions on the list', async () => {
    const unknown: string[] = [];
    for (const name of FUNCTIONS) {
      if ((await ask('alone', `${name}()`)).includes('unknown function')) unknown.push(name);
    }
    const older = unknown.filter((one) => !SINCE_3_5.includes(one));
    expect(older.sort()).toEqual(newest ? [] : SINCE_2_42);
  });

  it('leaks to who asks with no matcher, so that these tests can fail', async () => {
    expect(await ask('both', 'up')).toContain(SECRET);
    expect(await ask('alone', 'up')).not.toContain(SECRET);
    expect(JSON.parse(await ask('both', 'only_t2')).data.result).toHaveLength(1);
  });

  it('answers as if there were one tenant, and as if the matcher had been written by hand', async () => {
    const corpus = new PromqlCorpus(SEED, { ...WORDS, newest });
    const answered = { success: 0, error: 0, notEmpty: 0 };
    await eachOf(
      QUERIES,
      () => corpus.next(),
      async (written) => {
        const enforced = enforceQuery(written.text, TENANT);
        if (!enforced.ok) throw new Error(`refused (${enforced.reason}): ${written.text}`);
        const [both, alone, byHand] = await Promise.all([
          ask('both', enforced.query),
          ask('alone', enforced.query),
          ask('both', written.narrowed('tenant', 't1')),
        ]);
        expectSame(both, alone, enforced.query);
        expectSame(both, byHand, written.text);
        const { status, data } = JSON.parse(both) as Answer;
        answered[status]++;
        if (Array.isArray(data?.result) && data.result.length > 0) answered.notEmpty++;
      },
    );
    // A corpus of refusals and empty answers would prove nothing.
    expect(answered.notEmpty).toBeGreaterThan(QUERIES / 4);
    expect(answered.success).toBeGreaterThan(QUERIES / 2);
  });

  it('reads mutated queries as Prometheus does, and answers those that pass as if there were one tenant', async () => {
    const corpus = new PromqlCorpus(SEED + 1, { ...WORDS, newest });
    let passed = 0;
    let understood = 0;
    await eachOf(
      QUERIES * 3,
      () => corpus.mutated(),
      async (text) => {
        const enforced = enforceQuery(text, TENANT);
        if (!enforced.ok) return;
        passed++;
        const [both, alone, asItCame] = await Promise.all([
          ask('both', enforced.query),
          ask('alone', enforced.query),
          ask('alone', text),
        ]);
        expectSame(both, alone, text);
        // Where there is no other tenant the matcher changes nothing, but for the labels that absent() makes of matchers: what
        // was written anew is what Prometheus reads in the text itself.
        if (text.includes('absent') || (JSON.parse(asItCame) as Answer).status === 'error') return;
        understood++;
        expectSame(both, asItCame, text);
      },
    );
    expect(passed).toBeGreaterThan(QUERIES / 5);
    expect(understood).toBeGreaterThan(QUERIES / 10);
  });
});

/** `check` for so many cases, some at once; the first failure ends it. */
async function eachOf<T>(count: number, make: () => T, check: (one: T) => Promise<void>): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await check(make());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function expectSame(one: string, other: string, query: string): void {
  if (one.includes(SECRET)) throw new Error(`leaked (seed ${SEED}): ${query}\n${one.slice(0, 500)}`);
  const [left, right] = [comparable(one), comparable(other)];
  if (!isClose(left, right)) {
    throw new Error(
      `differs (seed ${SEED}): ${query}\n${JSON.stringify(left)}\n${JSON.stringify(right)}`.slice(0, 4_000),
    );
  }
}

/** Without what depends on the text of the query (positions in errors), in an order that does not depend on chance. */
function comparable(text: string): unknown {
  const { status, errorType, data } = JSON.parse(text) as Answer;
  if (status === 'error') return { status, errorType };
  if (!Array.isArray(data?.result) || data.resultType === 'scalar' || data.resultType === 'string') return data;
  return [...(data.result as unknown[])]
    .map((series) => ({ key: JSON.stringify((series as { metric: object }).metric), series }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function isClose(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one === 'string' && typeof other === 'string') {
    const [left, right] = [Number(one), Number(other)];
    // The order in which floats are added up is not fixed.
    return Math.abs(left - right) <= CLOSE * Math.max(Math.abs(left), Math.abs(right), 1);
  }
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => isClose((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]))
  );
}
