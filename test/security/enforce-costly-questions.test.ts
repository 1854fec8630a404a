/**
 * The attack: an identity that may see little keeps the gate busy with what must be narrowed for it. Hundreds of queries at
 * once, each of them as long as a query may be; selectors with large regular expressions; rules and alerts of 16 MiB;
 * expressions held against every series of the gate's own. What takes longer than a few milliseconds does not happen on
 * the thread that serves, or in slices; one such job of an identity at a time, the identities in turn, and what waits is
 * bounded.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { federate } from '../../src/observe/self-federation.ts';
import { runInSlices } from '../../src/observe/slices.ts';
import * as enforceQuery from '../../src/promql/enforce-query.ts';
import { createNarrowing } from '../../src/request/enforce/narrowing.ts';
import type { Narrowing } from '../../src/request/enforce/narrowing.ts';
import { ruleOf } from '../request/enforce/restriction-fixture.ts';
import { startStep } from '../request/enforce/step-fixture.ts';
import type { StepGate } from '../request/enforce/step-fixture.ts';
import { upstreamOf } from '../support/config-fixture.ts';
import { createFakeClock } from '../support/fake-clock.ts';

vi.mock('../../src/promql/enforce-query.ts', { spy: true });

const rule = ruleOf({ labels: [{ label: 'tenant', operator: '=', value: 'a' }] });
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const LONG = `sum by (${'a,'.repeat(1_000)}b) (up)`;

describe('questions of an identity', () => {
  let gate: StepGate | null = null;
  afterEach(async () => {
    vi.mocked(enforceQuery.enforceQuery).mockClear();
    await gate?.close();
    gate = null;
  });

  const post = async (path: string, form: Record<string, string>): Promise<number> => {
    const body = new URLSearchParams(form).toString();
    const response = await fetch(`${gate!.url}${path}`, { method: 'POST', headers: FORM, body });
    await response.arrayBuffer();
    return response.status;
  };

  it('are read elsewhere where they are long, and others are answered meanwhile', async () => {
    gate = await startStep({ rule });
    const order: string[] = [];
    const ask = async (name: string, query: string): Promise<number> => {
      const status = await post('/api/v1/query', { query });
      order.push(name);
      return status;
    };
    const long = Array.from({ length: 100 }, () => ask('long', LONG));
    const short = ask('short', 'up');
    expect(await Promise.all([...long, short])).toEqual(new Array<number>(101).fill(200));
    expect(order.indexOf('short')).toBeLessThan(50);
    const readHere = vi.mocked(enforceQuery.enforceQuery).mock.calls.map(([query]) => query);
    expect(readHere).toEqual(['up']);
    const asked = gate.asked.map((question) => String(question?.body));
    expect(asked.filter((body) => body.includes('up%7Btenant%3D%22a%22%7D'))).toHaveLength(101);
  });

  it('are read elsewhere where their regular expressions are large', async () => {
    gate = await startStep({ rule });
    // Three hundred letters, and forty milliseconds.
    const match = `{a=~"${'[\\\\pL]'.repeat(40)}"}`;
    expect(await post('/api/v1/series', { 'match[]': match })).toBe(200);
    expect(String(gate.asked[0]?.body)).toContain('tenant%3D%22a%22');
    expect(await post('/api/v1/series', { 'match[]': `{a=~"${'\\\\pL'.repeat(100)}"}` })).toBe(400);
  });

  it('are refused where too many of them wait', async () => {
    gate = await startStep({ rule });
    const statuses = await Promise.all(Array.from({ length: 500 }, () => post('/api/v1/query', { query: LONG })));
    const count = (status: number): number => statuses.filter((one) => one === status).length;
    expect(count(200) + count(503)).toBe(500);
    expect(count(200)).toBeGreaterThanOrEqual(200);
    const reasons = gate.log.lines.flatMap(({ fields }) => ('reason' in fields ? [fields['reason']] : []));
    expect(reasons).toEqual(new Array<string>(count(503)).fill('narrowing_busy'));
    expect(reasons).not.toEqual([]);
  });
});

describe('answers that are narrowed', () => {
  let narrowing: Narrowing | null = null;
  afterEach(() => narrowing?.close());

  it('are read elsewhere, the identities in turn', async () => {
    const other = ruleOf({ labels: [{ label: 'tenant', operator: '=', value: 'b' }] });
    const others = { ...other, name: 'other' };
    narrowing = createNarrowing({ rules: [rule, others], clock: systemClock });
    const alert = (tenant: string) => ({ labels: { tenant, filler: 'x'.repeat(100) }, state: 'firing' });
    const alerts = Array.from({ length: 5_000 }, (_, at) => alert(at % 2 === 0 ? 'a' : 'b'));
    const text = JSON.stringify({ status: 'success', data: { alerts } });
    const order: string[] = [];
    const parse = vi.spyOn(JSON, 'parse');
    const filtered = (of: typeof rule): Promise<string> =>
      new Promise((resolve, reject) => {
        const job = { kind: 'json', of: 'alerts', status: 200, bytes: new TextEncoder().encode(text) } as const;
        narrowing!.submit(
          of,
          text.length,
          job,
          () => true,
          (result) => {
            order.push(of.name);
            if (result?.kind === 'json' && result.answer.kind === 'told')
              resolve(Buffer.from(result.answer.body).toString());
            else reject(new Error('not narrowed'));
          },
        );
      });
    const answers = await Promise.all([filtered(rule), filtered(rule), filtered(rule), filtered(others)]);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
    expect(order.indexOf('other')).toBeLessThan(3);
    expect(answers[0]).not.toContain('"tenant":"b"');
    expect(answers[3]).not.toContain('"tenant":"a"');
    expect(answers[3]?.length).toBeGreaterThan(200_000);
  });

  it('end with a worker that does not come back, and the next one is served', async () => {
    const clock = createFakeClock();
    narrowing = createNarrowing({ rules: [rule], clock });
    const asked = {
      upstream: upstreamOf(),
      method: 'GET',
      path: '/api/v1/query',
      query: `query=${encodeURIComponent(LONG)}`,
      form: null,
      accept: undefined,
    };
    const { kind, address } = asked.upstream;
    const job = { kind: 'question', asked: { ...asked, upstream: { kind, address } } } as const;
    const ask = (): Promise<string | null> =>
      new Promise((resolve) => {
        narrowing!.submit(
          rule,
          1,
          job,
          () => true,
          (result) => {
            resolve(result?.kind === 'question' ? result.verdict.kind : null);
          },
        );
      });
    const late = ask();
    // Before the worker has so much as begun.
    clock.advance(20_000);
    expect(await late).toBeNull();
    expect(await ask()).toBe('ask');
  });
});

describe("expressions over the gate's own series", () => {
  it('are held against them in slices, and given up where the client has left', async () => {
    const values = Array.from({ length: 500 }, (_, at) => ({ value: at, labels: { user: `u${String(at)}` } }));
    const metrics = [{ name: 'promgate_requests_total', values }];
    const selectors = Array.from({ length: 20 }, (_, at) => `{user=~".*${String(at)}x?"}`);
    // Each look at the clock is a millisecond: every second step ends a slice.
    let now = 0;
    const ticking = { monotonic: () => (now += 1) };
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const found = await runInSlices(federate(selectors, metrics, 1), ticking, () => true);
    isOver = true;
    expect(found !== null && 'page' in found && found.page.split('\n').length).toBeGreaterThan(100);
    // Ten thousand tests of a series: others had their turn thousands of times.
    expect(turns).toBeGreaterThan(1_000);

    let left = 0;
    const endless = runInSlices(federate(selectors, metrics, 1), ticking, () => (left += 1) < 10);
    expect(await endless).toBeNull();
  });

  it('are refused where they are too large to compile at once', () => {
    const steps = federate([`{a=~"${'\\\\pL'.repeat(20)}"}`], [], 1);
    expect(steps.next()).toMatchObject({ done: true, value: { fault: 'regular expressions that are too large' } });
  });
});
