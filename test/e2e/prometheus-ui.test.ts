/** People and dashboards behind the gate: Prometheus's own UI in a real browser, and what a Grafana data source does. */
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/poll.ts';
import { findProgram } from '../support/programs.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { PASSWORD, USER, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const SELF_SCRAPE = '- job_name: self\n  static_configs: [{targets: ["127.0.0.1:${port}"]}]';

describe('behind the gate', () => {
  let prometheus: Prometheus;
  let scene: Scene;

  beforeAll(async () => {
    prometheus = await startPrometheus({ scrapeConfigs: SELF_SCRAPE });
    scene = await startScene({
      yaml: `
upstreams: [{url: "${prometheus.url}"}]
http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff}}`,
    });
    await prometheus.waitFor('up{job="self"} == 1');
  });
  afterAll(async () => {
    await scene.stop();
    await prometheus.stop();
  });

  describe('the UI of Prometheus in Chromium', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({
        executablePath: findProgram('chromium'),
        args: [
          '--no-sandbox',
          '--disable-gpu',
          '--disable-quic',
          '--no-first-run',
          '--disable-background-networking',
          '--disable-component-update',
          '--disable-sync',
        ],
      });
    });
    afterAll(() => browser.close());

    it('asks for the password, loads every script and shows the result of a query', async () => {
      const context = await browser.newContext({
        ignoreHTTPSErrors: true,
        httpCredentials: { username: USER, password: PASSWORD },
      });
      const page = await context.newPage();
      const failed: string[] = [];
      page.on('response', (response) => {
        // 401 comes once, before the browser knows that it must send the password.
        if (response.status() >= 400 && response.status() !== 401)
          failed.push(`${response.status()} ${response.url()}`);
      });
      await page.goto(`${scene.gate.url}/`);
      expect(page.url()).toBe(`${scene.gate.url}/classic/graph`);
      await page.locator('textarea[name=expr]').first().fill('up{job="self"}');
      await page.locator('input[name=submit]').first().click();
      await page.getByText('job="self"').first().waitFor();
      expect(failed.filter((line) => !line.includes('favicon'))).toEqual([]);
      await context.close();
    });

    it('shows nothing without the password', async () => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      const response = await page.goto(`${scene.gate.url}/classic/graph`).catch(() => null);
      expect(response?.status() ?? 401).toBe(401);
      // What the browser shows instead is its own page, whose text is its own affair.
      const fields = await poll('the page', async () => ({ count: await page.locator('textarea[name=expr]').count() }));
      expect(fields.count).toBe(0);
      await context.close();
    });
  });

  describe('a Grafana data source', () => {
    it.each([
      ['query', 'query=up&time=1'],
      ['query_range', 'query=up&start=1&end=2&step=1'],
      ['series', 'match[]=up'],
      ['labels', 'match[]=up'],
    ])('POSTs /api/v1/%s as a form', async (endpoint, form) => {
      const answer = await scene.ask(`/api/v1/${endpoint}`, '--data', form);
      expect(answer).toMatchObject({ exit: 0, status: 200 });
      expect(JSON.parse(answer.body)).toMatchObject({ status: 'success' });
    });

    it('gets the status on which it falls back to GET where POST does not exist', async () => {
      expect(await scene.ask('/api/v1/label/job/values', '--data', 'match[]=up')).toMatchObject({ status: 405 });
      const fallback = await scene.ask('/api/v1/label/job/values?match[]=up');
      expect(JSON.parse(fallback.body)).toMatchObject({ status: 'success', data: ['self'] });
    });

    it('passes on what Prometheus says of a bad query', async () => {
      const answer = await scene.ask('/api/v1/query', '--data', 'query=up{');
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body)).toMatchObject({ status: 'error', errorType: 'bad_data' });
    });

    it('reads refusals as the errors of Prometheus', async () => {
      const answer = await scene.askAsStranger('/api/v1/query?query=up');
      expect(answer).toMatchObject({ status: 401, headers: { 'content-type': 'application/json' } });
      expect(JSON.parse(answer.body)).toMatchObject({
        status: 'error',
        error: expect.stringContaining('authentic') as string,
      });
    });
  });

  it('puts the configured headers on answers and refusals', async () => {
    for (const answer of [await scene.ask('/-/healthy'), await scene.askAsStranger('/'), await scene.ask('/nowhere')]) {
      expect(answer.headers).toMatchObject({ 'x-frame-options': 'deny', 'x-content-type-options': 'nosniff' });
    }
  });

  it('compresses and revalidates as Prometheus does', async () => {
    const packed = await scene.ask('/federate?match[]={job="self"}', '-H', 'Accept-Encoding: gzip');
    expect(packed.headers['content-encoding']).toBe('gzip');
    const asset = await scene.ask('/classic/static/css/prometheus.css');
    const modified = asset.headers['last-modified'];
    if (modified !== undefined) {
      const again = await scene.ask('/classic/static/css/prometheus.css', '-H', `If-Modified-Since: ${modified}`);
      expect(again).toMatchObject({ status: 304, body: '' });
    }
  });

  it('answers 404 and 405 only to those who have a password', async () => {
    for (const path of ['/nowhere', '/api/v1/admin/tsdb/snapshot', '/-/quit', '/debug/pprof/heap']) {
      expect(await scene.askAsStranger(path)).toMatchObject({ status: 401 });
      expect(await scene.ask(path)).toMatchObject({ status: 404 });
    }
    expect(await scene.ask('/federate', '-X', 'DELETE')).toMatchObject({ status: 405, headers: { allow: 'GET' } });
    expect(await scene.askAsStranger('/federate', '-X', 'PURGE')).toMatchObject({ status: 401 });
    expect(await scene.ask('/federate', '-X', 'PURGE')).toMatchObject({ status: 405 });
  });
});
