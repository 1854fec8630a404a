/** The step at a socket: what passes is written anew, what does not is refused in Prometheus's words. */
import { afterEach, describe, expect, it } from 'vitest';
import { curl } from '../../support/curl.ts';
import { identityOf } from '../../support/config-fixture.ts';
import { canonical, ruleOf, T1 } from './restriction-fixture.ts';
import type { Written } from './restriction-fixture.ts';
import { startStep } from './step-fixture.ts';
import type { StepGate, StepOptions } from './step-fixture.ts';

let gate: StepGate;

afterEach(async () => {
  await gate.close();
});

async function behind(written: Written | null, options: Partial<StepOptions> = {}): Promise<void> {
  gate = await startStep({ rule: written === null ? identityOf() : ruleOf(written), ...options });
}

const ask = (path: string, ...argv: string[]) => curl('-g', ...argv, gate.url + path);
const pairs = (text: string) => [...new URLSearchParams(text)];

describe('the step', () => {
  it('leaves an identity without a restriction alone', async () => {
    await behind(null);
    expect(await ask('/api/v1/query?query=up&query=up;')).toMatchObject({ status: 200 });
    expect(await ask('/api/v1/query', '-F', 'query=up')).toMatchObject({ status: 200 });
    expect(gate.asked).toEqual([null, null]);
  });

  it('leaves a client without an identity of its own alone', async () => {
    await behind(null, { rule: null });
    expect(await ask('/api/v1/status/config')).toMatchObject({ status: 200 });
    expect(gate.asked).toEqual([null]);
  });

  it('writes the question of a GET anew', async () => {
    await behind({ labels: [T1] });
    expect(await ask('/federate?match[]=up&x=1')).toMatchObject({ status: 200 });
    const [question] = gate.asked;
    expect(question).toMatchObject({ method: 'GET', body: null, filter: null });
    expect(pairs(question?.query ?? '')).toEqual([['match[]', canonical('up{tenant="t1"}')]]);
  });

  it('writes the question of a POST anew, from its query and its form', async () => {
    await behind({ labels: [T1] });
    expect(await ask('/api/v1/series?start=1', '--data', 'match[]=up&end=2')).toMatchObject({ status: 200 });
    const [question] = gate.asked;
    expect(question).toMatchObject({ method: 'POST', query: '' });
    expect(pairs(question?.body?.toString() ?? '')).toEqual([
      ['match[]', canonical('up{tenant="t1"}')],
      ['start', '1'],
      ['end', '2'],
    ]);
  });

  it("refuses in Prometheus's JSON, with what is wrong with what was sent, and says more in the log", async () => {
    await behind({ labels: [T1] });
    const doubled = await ask('/api/v1/query?query=up', '--data', 'query=up');
    expect(doubled.status).toBe(400);
    expect(JSON.parse(doubled.body)).toEqual({
      status: 'error',
      errorType: 'bad_data',
      error: 'bad parameters: the parameter "query" more than once (request r1)',
    });
    const elsewhere = await ask('/api/v1/status/config');
    expect(elsewhere.status).toBe(403);
    expect(JSON.parse(elsewhere.body)).toMatchObject({ status: 'error', errorType: 'forbidden' });
    expect(gate.asked).toEqual([]);
    expect(JSON.stringify(gate.log.lines)).toContain('restricted_path');
    expect(JSON.stringify(gate.log.lines)).toContain('not an endpoint that can be narrowed');
  });

  it('answers a POST that is refused whatever its form says before the form has come', async () => {
    await behind({ match: ['a', 'b'] });
    const huge = 'x'.repeat(100_000);
    const refused = await ask('/api/v1/query', '-H', 'Expect:', '--data', huge);
    expect(refused.status).toBe(403);
    expect(await ask('/api/v1/series', '--data', huge)).toMatchObject({ status: 413 });
    expect(await ask('/api/v1/series', '--data', 'match[]=a', '-H', 'Content-Type: text/plain')).toMatchObject({
      status: 415,
    });
    expect(gate.asked).toEqual([]);
  });

  it('leaves the body of an unrestricted identity with deny_match alone where no selectors are', async () => {
    await behind({ denyMatch: ['{__name__=~".+"}'] });
    expect(await ask('/api/v1/query', '--data', 'query=up')).toMatchObject({ status: 200 });
    expect(await ask('/federate?match[]={__name__!=""}')).toMatchObject({ status: 403 });
    expect(gate.asked).toEqual([null]);
  });
});
