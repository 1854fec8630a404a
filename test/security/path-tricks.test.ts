/**
 * The attack: reach a path that the gate keeps off (`/api/v1/admin/tsdb/…`, `/-/quit`, another tenant's prefix) by a
 * spelling that the gate judges as one path and the upstream reads as another. Every spelling but the normal form is
 * refused with 400, nothing is repaired, and nothing of it reaches the upstream.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-client.ts';
import { PASSWORD, USER, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const AUTHORIZATION = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;

/** What is tried, and what it would be for a server that decodes, merges or cuts. */
const TRICKS: readonly (readonly [name: string, target: string])[] = [
  ['dot segments', '/metrics/../api/v1/admin/tsdb/snapshot'],
  ['a dot segment at the end', '/api/v1/query/..'],
  ['a single dot segment', '/./-/quit'],
  ['encoded dots', '/metrics/%2e%2e/-/quit'],
  ['half-encoded dots', '/metrics/.%2E/-/quit'],
  ['an encoded slash', '/api/v1/label/..%2f..%2fadmin/values'],
  ['an encoded backslash', '/metrics/..%5c-/quit'],
  ['a backslash', '/metrics/..\\-/quit'],
  ['a double slash at the start', '//evil.example/federate'],
  ['a double slash inside', '/api//v1/query'],
  ['a path parameter', '/federate;/../-/quit'],
  ['an encoded path parameter', '/federate%3B/x'],
  ['a double encoding', '/%252e%252e/-/quit'],
  ['an encoded NUL', '/federate%00.html'],
  ['an over-long encoding of a dot', '/%c0%ae%c0%ae/-/quit'],
  ['an over-long encoding in upper case', '/%C0%AE%C0%AE/-/quit'],
  ['invalid UTF-8', '/%FF%FE'],
  ['an encoded surrogate', '/%ED%A0%80'],
  ['a needless encoding', '/%66ederate'],
  ['a lower-case escape', '/api/v1/label/%c3%a9/values'],
  ['a broken escape', '/federate%zz'],
  ['an escape cut off', '/federate%2'],
  ['a fragment', '/federate#/-/quit'],
  ['the absolute form', 'http://evil.example/federate'],
  ['the absolute form of the upstream', 'http://127.0.0.1:9090/-/quit'],
  ['the asterisk form', '*'],
  ['an authority', 'evil.example:443'],
];

describe('a path that is not in normal form', () => {
  let upstream: Server;
  let scene: Scene;
  const seen: string[] = [];

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
      response.end('reached');
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    scene = await startScene({ yaml: `upstreams: [{url: "http://127.0.0.1:${port}", kind: any}]` });
  });
  afterAll(async () => {
    await scene.stop();
    upstream.close();
  });
  beforeEach(() => {
    seen.length = 0;
  });

  const overHttp1 = async (target: string): Promise<number | undefined> => {
    const head = `Host: localhost\r\nAuthorization: ${AUTHORIZATION}\r\nConnection: close\r\n\r\n`;
    const { statuses } = await sendRaw(scene.gate.port, Buffer.from(`GET ${target} HTTP/1.1\r\n${head}`, 'utf8'));
    return statuses[0];
  };
  const overHttp2 = (path: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const session = connect(scene.gate.url, { ca: scene.authority.cert });
      session.on('error', reject);
      const stream = session.request({ ':path': path, authorization: AUTHORIZATION });
      let status: number | undefined;
      stream.on('response', (headers) => {
        status = headers[':status'];
      });
      stream.on('error', () => undefined);
      stream.on('close', () => {
        session.close();
        resolve(status);
      });
      stream.resume();
    });

  it.each(TRICKS)('is refused over HTTP/1.1 and HTTP/2: %s', async (_name, target) => {
    expect(await overHttp1(target)).toBe(400);
    // nghttp2 itself resets a stream whose :path does not begin with a slash (RFC 9113 §8.1.1).
    expect(await overHttp2(target)).toBe(target.startsWith('/') ? 400 : undefined);
    expect(seen).toEqual([]);
  });

  it('is refused when it is raw UTF-8, which HTTP/2 would deliver', async () => {
    expect(await overHttp2('/é')).not.toBe(200);
    expect(await overHttp1('/é')).not.toBe(200);
    expect(seen).toEqual([]);
  });

  it('is refused when it holds a control character', async () => {
    for (const character of ['\0', '\t', '\x7f']) expect(await overHttp1(`/federate${character}x`)).not.toBe(200);
    expect(seen).toEqual([]);
  });

  it('is nobody else: the normal form reaches the upstream as it was judged', async () => {
    const target = `/metrics/job/a%20b?match[]={job="x",path=~"a\\d"}&y=%2e%2e/%00`;
    expect(await overHttp1(target)).toBe(200);
    expect(await overHttp2(target)).toBe(200);
    expect(seen).toEqual([`GET ${target}`, `GET ${target}`]);
  });

  it('does not exist for a stranger either: 400 comes before 401, and says nothing of the path', async () => {
    const { statuses, text } = await sendRaw(
      scene.gate.port,
      'GET /metrics/../-/quit HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    expect(statuses).toEqual([400]);
    expect(text).not.toContain('quit');
  });
});
