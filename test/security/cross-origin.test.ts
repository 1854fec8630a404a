/**
 * The attack: a page that the operator's browser shows asks the gate with the credentials that the browser keeps for it,
 * and reads the answer; or it learns by preflights, which carry no credentials, which paths and methods exist. Only pages
 * of the origins under `cors` may read, compared byte by byte; every preflight of one is answered alike.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../support/programs.ts';
import { PASSWORD, USER, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const GRAFANA = 'https://grafana.example.com';
/** An upstream that lets everybody in, sets cookies of its own and answers 204. */
const permissive = createServer((request, response) => {
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Access-Control-Expose-Headers', 'X-Secret');
  response.setHeader('Vary', 'Accept-Encoding');
  response.end(request.headers.origin ?? 'no origin');
});
/** Pages of an origin of their own. */
const pages = createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/html').end('<title>a page</title>');
});
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

let scene: Scene;
beforeAll(async () => {
  for (const server of [permissive, pages]) await once(server.listen(0, '127.0.0.1'), 'listening');
  scene = await startScene({
    yaml: `
upstreams: [{url: "http://127.0.0.1:${portOf(permissive)}"}]
cors: {origins: ["${GRAFANA}", "http://localhost:${portOf(pages)}"]}
`,
  });
});
afterAll(async () => {
  await scene.stop();
  permissive.close();
  pages.close();
});

const from = (origin: string): string[] => ['-H', `Origin: ${origin}`];
const preflight = (method = 'GET'): string[] => ['-X', 'OPTIONS', '-H', `Access-Control-Request-Method: ${method}`];
const allowed = (headers: Readonly<Record<string, string>>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

describe('an answer', () => {
  it('may be read by a page of a listed origin, whatever the upstream allows', async () => {
    const { status, headers, body } = await scene.ask('/api/v1/query?query=up', ...from(GRAFANA));
    expect({ status, body }).toEqual({ status: 200, body: 'no origin' });
    expect(headers).toMatchObject({
      'access-control-allow-origin': GRAFANA,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'Retry-After',
      vary: 'Accept-Encoding, Origin',
    });
  });

  it.each([
    'https://evil.example.com',
    'http://grafana.example.com',
    'https://grafana.example.com:8443',
    'https://grafana.example.com.evil.example',
    'https://Grafana.example.com',
    `${GRAFANA}/`,
    'null',
  ])('cannot be read by a page of %s', async (origin) => {
    const { status, headers } = await scene.ask('/api/v1/query?query=up', ...from(origin));
    expect(status).toBe(200);
    expect(allowed(headers)).toEqual([]);
    expect(headers['vary']).toContain('Origin');
  });

  it('cannot be read with two origins, and without one', async () => {
    for (const argv of [[...from(GRAFANA), ...from('https://evil.example.com')], []]) {
      expect(allowed((await scene.ask('/metrics', ...argv)).headers)).toEqual([]);
    }
  });

  it('says to the page why it was refused', async () => {
    const { status, headers } = await scene.askAsStranger('/metrics', ...from(GRAFANA));
    expect(status).toBe(401);
    expect(headers['access-control-allow-origin']).toBe(GRAFANA);
  });
});

describe('a preflight', () => {
  it('is answered without credentials, alike for what exists and what does not', async () => {
    const heads = await Promise.all(
      ['/api/v1/query', '/metrics', '/nothing/here', '/-/quit', '/api/v1/admin/tsdb/delete_series'].map(
        async (path) => {
          const { status, headers, body } = await scene.askAsStranger(path, ...from(GRAFANA), ...preflight('DELETE'));
          return { status, body, ...headers, date: '' };
        },
      ),
    );
    for (const head of heads) expect(head).toEqual(heads[0]);
    expect(heads[0]).toMatchObject({
      status: 204,
      body: '',
      'access-control-allow-origin': GRAFANA,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '600',
    });
  });

  it('of a stranger’s origin is a request without credentials', async () => {
    const { status, headers } = await scene.askAsStranger(
      '/metrics',
      ...from('https://evil.example.com'),
      ...preflight(),
    );
    expect(status).toBe(401);
    expect(allowed(headers)).toEqual([]);
  });

  it('repeats names of headers, and nothing else', async () => {
    const told = async (asked: string): Promise<string | undefined> => {
      const argv = [...from(GRAFANA), ...preflight(), '-H', `Access-Control-Request-Headers: ${asked}`];
      return (await scene.askAsStranger('/metrics', ...argv)).headers['access-control-allow-headers'];
    };
    expect(await told('authorization, x-grafana-org-id')).toBe('authorization, x-grafana-org-id');
    expect(await told('x"<script>')).toBe('authorization, content-type');
    expect(await told(`x${'y'.repeat(2000)}`)).toBe('authorization, content-type');
  });
});

describe('Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findProgram('chromium'),
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    });
  });
  afterAll(() => browser.close());

  const read = async (host: string): Promise<string> => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`http://${host}:${portOf(pages)}/`);
    const asked = { url: `https://localhost:${scene.gate.port}/api/v1/query?query=up`, user: USER, password: PASSWORD };
    const text = await page.evaluate(
      `fetch(${JSON.stringify(asked.url)}, {
         headers: {authorization: 'Basic ' + btoa(${JSON.stringify(`${asked.user}:${asked.password}`)})},
       }).then((answer) => answer.text(), (error) => 'refused: ' + error.message)`,
    );
    await context.close();
    return String(text);
  };

  it('lets the page of a listed origin read the answer, and no other', async () => {
    expect(await read('localhost')).toBe('no origin');
    expect(await read('127.0.0.1')).toMatch(/^refused: /);
  });
});
