/**
 * Random PromQL of one tenant through the real gate: what is answered is what Prometheus itself answers to the query with
 * the matcher written into every selector; and nothing of the other tenant comes back, from damaged queries neither.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/keep-alive-client.ts';
import type { Answered, Client } from '../support/keep-alive-client.ts';
import { prometheusPrograms } from '../support/programs.ts';
import { PromqlCorpus } from '../support/promql-corpus.ts';
import type { Vocabulary } from '../support/promql-corpus.ts';
import type { Scene } from '../support/scene.ts';
import { ALPHA, startTenantScene, startTwoTenants } from '../support/two-tenants.ts';
import type { TwoTenants } from '../support/two-tenants.ts';

const SEED = 20_260_101;
const QUERIES = 600;
const AT_ONCE = 8;
const WORDS: Vocabulary = {
  metrics: ['up', 'requests_total', 'only_alpha', 'only_beta', 'latency_seconds_count', 'beta:up:sum'],
  histograms: ['latency_seconds_bucket'],
  labels: { tenant: ['alpha', 'beta'], zone: ['alpha-zone', 'beta-zone'], code: ['200', '500'] },
  newest: false,
};
/** What only samples of the other tenant carry; its name may stand in a query. */
const OF_BETA = /42424[23]|beta-zone|job-beta|"beta:up:sum"|"__name__":"only_beta"/;
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** A result as a set of series: PromQL promises no order. */
function seriesOf(body: string): unknown {
  const { status, data } = JSON.parse(body) as { status: string; data: { resultType: string; result: unknown[] } };
  const result = Array.isArray(data.result) ? data.result.map((one) => JSON.stringify(one)).sort() : data.result;
  return { status, type: data.resultType, result };
}

describe.each(prometheusPrograms())('$name', ({ path: program }) => {
  let tenants: TwoTenants;
  let scene: Scene;
  let client: Client;
  let time: string;

  beforeAll(async () => {
    tenants = await startTwoTenants(program);
    scene = await startTenantScene(tenants);
    client = createClient(scene, AT_ONCE);
    // A time that is over: what is scraped meanwhile changes nothing.
    time = String(Math.floor(Date.now() / 1000) - 2);
  });

  afterAll(async () => {
    client.close();
    await scene.stop();
    await tenants.stop();
  });

  const parameters = (path: string, query: string): string => {
    const when = path === '/api/v1/query' ? { time } : { start: String(Number(time) - 5), end: time, step: '1' };
    return new URLSearchParams({ query, ...when }).toString();
  };
  const throughGate = (path: string, query: string): Promise<Answered> =>
    client.ask(ALPHA, { method: 'POST', path, query: '', body: parameters(path, query), headers: FORM });
  const direct = async (path: string, query: string): Promise<string> =>
    (await fetch(`${tenants.prometheus.url}${path}?${parameters(path, query)}`)).text();

  async function inParallel(count: number, work: () => Promise<void>): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await work();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  it.each(['/api/v1/query', '/api/v1/query_range'])(
    '%s answers as it would with the matcher written in',
    async (path) => {
      const corpus = new PromqlCorpus(SEED, WORDS);
      let answered = 0;
      await inParallel(QUERIES, async () => {
        const query = corpus.next();
        const gated = await throughGate(path, query.text);
        expect(gated.body, query.text).not.toMatch(OF_BETA);
        if (gated.status !== 200) return;
        answered += 1;
        expect(seriesOf(gated.body), query.text).toEqual(
          seriesOf(await direct(path, query.narrowed('tenant', 'alpha'))),
        );
      });
      expect(answered).toBeGreaterThan(QUERIES / 2);
    },
  );

  it('would be told from answers that nobody narrowed', async () => {
    const corpus = new PromqlCorpus(SEED, WORDS);
    let others = 0;
    await inParallel(100, async () => {
      const query = corpus.next();
      const answers = [query.text, query.narrowed('tenant', 'alpha')].map((text) => direct('/api/v1/query', text));
      const [asWritten, narrowed] = await Promise.all(answers);
      if (asWritten !== narrowed) others += 1;
    });
    expect(others).toBeGreaterThan(10);
  });

  it('tells nothing of the other tenant to damaged queries and selectors', async () => {
    const corpus = new PromqlCorpus(SEED + 1, WORDS);
    const statuses = new Set<number>();
    await inParallel(QUERIES, async () => {
      const text = corpus.mutated();
      const query = new URLSearchParams({ 'match[]': text }).toString();
      const asked = (path: string): Promise<Answered> =>
        client.ask(ALPHA, { method: 'GET', path, query, body: null, headers: {} });
      for (const answer of [
        await throughGate('/api/v1/query', text),
        await asked('/api/v1/series'),
        await asked('/federate'),
      ]) {
        statuses.add(answer.status);
        if (answer.status === 200) expect(answer.body, text).not.toMatch(OF_BETA);
        expect(answer.status, text).toBeLessThan(500);
      }
    });
    expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 400]));
  });
});
