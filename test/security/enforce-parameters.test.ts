/**
 * The attack: a question that the gate reads in one way and Prometheus in another. `?query=up{tenant="alpha"}
 * #;&query=up{tenant="beta"}` is two parameters to one reader and one to the other, because Go drops what has a `;` or a
 * bad escape; a scalar that is given twice, or in the URL and in the form, is two answers; `match[]` is a list that URL and
 * form make together. What is ambiguous is refused, and what goes on is written anew, so that there is nothing to differ
 * about.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-client.ts';
import { PASSWORD } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { ALPHA, as, leaks, OWNER, startTenantScene, startTwoTenants } from '../support/two-tenants.ts';
import type { TwoTenants } from '../support/two-tenants.ts';

let tenants: TwoTenants;
let scene: Scene;

beforeAll(async () => {
  tenants = await startTwoTenants();
  scene = await startTenantScene(tenants);
});

afterAll(async () => {
  await scene.stop();
  await tenants.stop();
});

const ask = (path: string, ...argv: string[]) => scene.askAsStranger(path, ...as(ALPHA), ...argv);
const UP_ALPHA = encodeURIComponent('up{tenant="alpha"}');
const UP_BETA = encodeURIComponent('up{tenant="beta"}');
const QUERY = '/api/v1/query';
/** curl would send another type with --data. */
const form = (text: string) => ['--data-binary', text];

describe('the scene', () => {
  it('leaks to who may see everything, so that these tests can fail', async () => {
    const answer = await scene.askAsStranger(`${QUERY}?query=up`, ...as(OWNER));
    expect(answer.status).toBe(200);
    expect(leaks(answer)).toBe(true);
  });

  it('answers a plain question with the series of the tenant', async () => {
    const answer = await ask(`${QUERY}?query=up`);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('"tenant":"alpha"');
    expect(leaks(answer)).toBe(false);
  });
});

describe('a query that two servers read in two ways', () => {
  it.each([
    ['a semicolon that ends the first', `query=${UP_ALPHA}%20#;&query=${UP_BETA}`.replace('#', '%23')],
    ['a semicolon between two', `query=${UP_ALPHA};query=${UP_BETA}`],
    ['a semicolon in another parameter', `query=${UP_BETA}&x=;`],
    ['a semicolon at the end', `query=${UP_BETA};`],
    ['the parameter twice', `query=${UP_ALPHA}&query=${UP_BETA}`],
    ['the parameter twice, once with an escaped name', `query=${UP_ALPHA}&%71uery=${UP_BETA}`],
    ['the parameter twice, once without a value', `query&query=${UP_BETA}`],
    ['another scalar twice', `query=up&time=1&time=2`],
    ['a bad escape in the first', `query=${UP_ALPHA}%&query=${UP_BETA}`],
    ['a bad escape in a name', `%query=${UP_ALPHA}&query=${UP_BETA}`],
    ['a bad escape elsewhere', `query=${UP_BETA}&x=%zz`],
    ['an over-long encoding of a brace', 'query=up%C1%BB%7D'],
    ['an encoded surrogate', 'query=up%ED%A0%80'],
    ['a byte that is not UTF-8', 'query=up%FF'],
    ['a NUL', `query=${UP_ALPHA}%00${UP_BETA}`],
  ])('is refused: %s', async (_what, query) => {
    const answer = await ask(`${QUERY}?${query}`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ status: 'error', errorType: 'bad_data' });
    expect(leaks(answer)).toBe(false);
  });

  it('is refused: a raw # before the second', async () => {
    const target = `${QUERY}?query=${UP_ALPHA}%20#;&query=${UP_BETA}`;
    const basic = Buffer.from(`${ALPHA}:${PASSWORD}`).toString('base64');
    const head = `GET ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${basic}\r\nConnection: close\r\n\r\n`;
    const { statuses, text } = await sendRaw(scene.gate.port, head);
    expect(statuses).toEqual([400]);
    expect(text).not.toContain('beta');
  });

  it('never gets what an unlisted spelling of a parameter asks for', async () => {
    for (const name of ['Query', 'query[]', 'query%20', '%20query', 'query%5B%5D', '+query', 'QUERY']) {
      const answer = await ask(`${QUERY}?${name}=${UP_BETA}&query=up`);
      expect(answer.status, name).toBe(200);
      expect(leaks(answer), name).toBe(false);
    }
    expect((await ask(`${QUERY}?Query=${UP_BETA}`)).status).toBe(400);
  });
});

describe('a question in URL and form', () => {
  it.each([
    ['the scalar in both', `?query=${UP_ALPHA}`, `query=${UP_BETA}`],
    ['the scalar in both, the same', `?query=up`, `query=up`],
    ['the time in both', '?time=1', `query=up&time=2`],
    ['a semicolon in the form', '?query=up', `x=1;query=${UP_BETA}`],
    ['a bad escape in the form', '?query=up', `x=%&y=1`],
    ['a NUL in the form', '', `query=${UP_BETA}%00`],
  ])('is refused: %s', async (_what, query, body) => {
    const answer = await ask(QUERY + query, ...form(body));
    expect(answer.status).toBe(400);
    expect(leaks(answer)).toBe(false);
  });

  it('is narrowed wherever its query stands', async () => {
    for (const [query, body] of [
      ['?query=up', ''],
      ['', 'query=up'],
      ['?time=2000000000', `query=${encodeURIComponent('up offset 1000d or up')}`],
    ] as const) {
      const answer = await ask(QUERY + query, ...form(body));
      expect(answer.status, body).toBe(200);
      expect(leaks(answer)).toBe(false);
    }
  });

  it('has each of its selectors narrowed, in whatever part and spelling', async () => {
    const names = ['match[]', 'match%5B%5D', 'match%5b%5d', '%6datch[]', 'match[%5d'];
    for (const inQuery of names) {
      for (const inForm of names) {
        const answer = await ask(`/api/v1/series?${inQuery}=${UP_BETA}`, ...form(`${inForm}=requests_total&start=0`));
        expect(answer.status).toBe(200);
        expect(answer.body).toContain('alpha-zone');
        expect(leaks(answer)).toBe(false);
      }
    }
  });

  it('has no selector by another name', async () => {
    for (const name of ['match', 'match[0]', 'match[a]', 'Match[]', 'match[][]', 'match[]%20', 'match%255B%255D']) {
      expect((await ask(`/api/v1/series?${name}=up`)).status, name).toBe(400);
      const page = await ask(`/federate?${name}=up`);
      expect(page, name).toMatchObject({ status: 200, body: '' });
    }
  });
});
