/**
 * The attack: an answer that the gate must narrow and cannot read. The upstream compresses what was asked for
 * uncompressed, cuts lines at the borders of its chunks, answers in another type, with a fault that quotes other series,
 * or without end; a client asks for protobuf, for a part of the page, or whether it has changed. What is not understood is
 * 502 or a cut, and never passed on.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startScene, USER } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { leaks } from '../support/two-tenants.ts';

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const PAGE = `# HELP a Of both.
# TYPE a gauge
a{tenant="beta"} 424242
a{tenant="alpha",b="}\\"# ,{tenant=\\"beta"} 1
# HELP only_beta Of beta.
only_beta{tenant="beta"} 424242
`.replace('{tenant=\\"beta', '{');
const ALERTS = JSON.stringify({
  status: 'success',
  data: { alerts: [{ labels: { tenant: 'beta' } }, { labels: { tenant: 'alpha' }, state: 'firing' }] },
});

let origin: Server;
let scene: Scene;
let seen: IncomingMessage[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;

beforeAll(async () => {
  origin = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const { port } = origin.address() as AddressInfo;
  scene = await startScene({
    yaml: `
authenticate: password
upstreams:
  - {url: "http://127.0.0.1:${String(port)}", share: off}
  - {url: "http://127.0.0.1:${String(port)}", path_prefix: /node, strip_prefix: true, kind: exporter, compression: upstream}
identities:
  - {name: ${USER}, labels: {tenant: alpha}}
`,
  });
});

beforeEach(() => {
  seen = [];
});

afterAll(async () => {
  await scene.stop();
  origin.closeAllConnections();
  origin.close();
});

function answers(
  status: number,
  type: string | null,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  answer = (_request, response) => {
    response.writeHead(status, { ...(type === null ? {} : { 'Content-Type': type }), ...headers });
    response.end(body);
  };
}

const PAGES = ['/metrics', '/node/metrics'];
const API = ['/api/v1/alerts', '/api/v1/rules', '/api/v1/targets'];

describe('a page that is filtered', () => {
  it('is the same whatever the chunks that it comes in', async () => {
    const bytes = Buffer.from(PAGE);
    for (const size of [1, 3, 17]) {
      answer = (_request, response) => {
        response.writeHead(200, { 'Content-Type': TEXT });
        let at = 0;
        const next = (): void => {
          if (at >= bytes.length) {
            response.end();
            return;
          }
          response.write(bytes.subarray(at, (at += size)), () => setImmediate(next));
        };
        next();
      };
      for (const path of PAGES) {
        const page = await scene.ask(path);
        expect(page).toMatchObject({ status: 200, exit: 0 });
        expect(page.body).toBe(`# HELP a Of both.\n# TYPE a gauge\na{tenant="alpha",b="}\\"# ,{"} 1\n`);
      }
    }
  });

  it('is asked for in text, uncompressed, whole and unconditionally, whatever the client says', async () => {
    answers(200, TEXT, PAGE, { ETag: '"x"', 'Last-Modified': 'Mon, 01 Jan 2026 00:00:00 GMT' });
    for (const path of PAGES) {
      const page = await scene.ask(
        path,
        ...['-H', 'Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'],
        ...['-H', 'Accept-Encoding: br, gzip'],
        ...['-H', 'Range: bytes=0-40'],
        ...['-H', 'If-None-Match: "x"'],
        '--compressed',
      );
      expect(page.status).toBe(200);
      expect(leaks(page)).toBe(false);
      expect(page.headers).not.toHaveProperty('etag');
      expect(page.headers).not.toHaveProperty('last-modified');
      const { headers } = seen.at(-1) ?? { headers: {} };
      expect(headers).toMatchObject({ accept: 'text/plain;version=0.0.4', 'accept-encoding': 'identity' });
      expect(headers).not.toHaveProperty('range');
      expect(headers).not.toHaveProperty('if-none-match');
    }
  });

  it.each([
    ['gzip that nobody asked for', 200, TEXT, gzipSync(PAGE), { 'Content-Encoding': 'gzip' }],
    ['an unknown coding', 200, TEXT, PAGE, { 'Content-Encoding': 'x-none' }],
    ['gzip that calls itself text', 200, TEXT, gzipSync(PAGE), {}],
    ['protobuf', 200, 'application/vnd.google.protobuf; encoding=delimited', PAGE, {}],
    ['HTML', 200, 'text/html', '<a>beta</a>\n', {}],
    ['no type', 200, null, '<a>beta</a>\n', {}],
    ['a line that cannot be read', 200, TEXT, 'a{tenant="beta} 1\n', {}],
    ['a page that ends within a line', 200, TEXT, 'a{tenant="alpha"} 1\na{tenant="beta"', {}],
    ['a line without end', 200, TEXT, `a{tenant="beta",b="${'x'.repeat(100_000)}`, {}],
    ['a part', 206, TEXT, PAGE, { 'Content-Range': 'bytes 0-40/1000' }],
    ['a redirect', 302, TEXT, 'beta', { Location: '/beta' }],
    ['a fault', 500, TEXT, 'series of beta', {}],
    ['a doubt of the gate', 401, TEXT, 'beta', { 'WWW-Authenticate': 'Basic realm="beta"' }],
  ])('is 502 for %s', async (_what, status, type, body, headers) => {
    answers(status, type, body, headers);
    for (const path of PAGES) {
      const page = await scene.ask(path, '--compressed');
      expect(leaks(page)).toBe(false);
      expect(page.status).toBe(502);
      expect(page.body).toContain('bad gateway');
    }
  });

  it.each([null, 'text/html', 'application/json'])(
    'is text for the client where the upstream says %s',
    async (type) => {
      answers(200, type, PAGE, {});
      for (const path of PAGES) {
        const page = await scene.ask(path);
        expect(page).toMatchObject({ status: 200, exit: 0 });
        expect(leaks(page)).toBe(false);
        expect(page.headers).toMatchObject({ 'content-type': TEXT, 'x-content-type-options': 'nosniff' });
      }
    },
  );

  it('is cut, not short, when what cannot be read comes late', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'Content-Type': TEXT });
      response.write('a{tenant="alpha"} 1\n');
      setTimeout(() => response.end('a{tenant="beta} 1\n'), 200);
    };
    const page = await scene.ask('/node/metrics');
    expect(page.exit).not.toBe(0);
    expect(leaks(page)).toBe(false);
    expect(scene.gate.logs()).toMatch(/answer cut.*answer_unreadable|answer_unreadable.*answer cut/);
  });
});

describe('JSON that is filtered', () => {
  it('is what may be seen, without validators of the whole', async () => {
    answers(200, 'application/json', ALERTS, { ETag: '"x"' });
    const alerts = await scene.ask(
      '/api/v1/alerts',
      '-H',
      'If-None-Match: "x"',
      '-H',
      'Accept: text/html',
      '--compressed',
    );
    expect(JSON.parse(alerts.body)).toEqual({
      status: 'success',
      data: { alerts: [{ labels: { tenant: 'alpha' }, state: 'firing' }] },
    });
    expect(alerts.headers).not.toHaveProperty('etag');
    expect(alerts.headers['content-length']).toBe(String(alerts.body.length));
    expect(seen.at(-1)?.headers).toMatchObject({ accept: 'application/json', 'accept-encoding': 'identity' });
  });

  it.each([
    ['gzip that nobody asked for', 200, 'application/json', gzipSync(ALERTS), { 'Content-Encoding': 'gzip' }],
    ['gzip that calls itself JSON', 200, 'application/json', gzipSync(ALERTS), {}],
    ['JSON that was cut', 200, 'application/json', ALERTS.slice(0, -1), {}],
    ['two documents', 200, 'application/json', ALERTS + ALERTS, {}],
    ['another shape', 200, 'application/json', '{"status":"success","data":["beta"]}', {}],
    ['HTML', 200, 'text/html', '<a>beta</a>', {}],
    ['a fault', 500, 'application/json', '{"status":"error","errorType":"x","error":"beta"}', {}],
    ['a fault that is no JSON', 400, 'text/plain', 'beta', {}],
    ['a redirect', 307, 'application/json', '{}', { Location: 'http://beta/' }],
  ])('is 502 for %s', async (_what, status, type, body, headers) => {
    answers(status, type, body, headers);
    for (const path of API) {
      const answered = await scene.ask(path);
      expect(answered.status, path).toBe(502);
      expect(leaks(answered)).toBe(false);
      expect(JSON.parse(answered.body)).toMatchObject({ status: 'error', errorType: 'unavailable' });
    }
  });

  it('is 502 for an answer without end', async () => {
    let sent = 0;
    answer = (request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      const chunk = Buffer.alloc(1_048_576, 0x20);
      const next = (): void => {
        if (request.socket.destroyed) return;
        sent += chunk.length;
        if (response.write(chunk)) setImmediate(next);
        else response.once('drain', next);
      };
      next();
    };
    expect((await scene.ask('/api/v1/targets')).status).toBe(502);
    expect(sent).toBeLessThan(64 * 1_048_576);
  });
});
