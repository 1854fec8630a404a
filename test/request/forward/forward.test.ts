/** Requests through respond and forward to real upstreams, asked by the real curl. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../../src/config/config.ts';
import { curl } from '../../support/curl.ts';
import { poll } from '../../support/poll.ts';
import { upstreamAt, upstreamOf } from '../../support/config-fixture.ts';
import { startGate, startOrigin } from './gate-fixture.ts';
import type { GateOptions, Origin, TestGate } from './gate-fixture.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function origin(answer: Parameters<typeof startOrigin>[0]): Promise<Origin> {
  const started = await startOrigin(answer);
  closing.push(() => started.close());
  return started;
}

async function gate(upstream: Upstream, options: Omit<GateOptions, 'upstream'> = {}): Promise<TestGate> {
  const started = await startGate({ upstream, ...options });
  closing.push(() => started.close());
  return started;
}

const PROTOCOLS = [
  { name: 'HTTP/1.1', flags: [] as string[], urlOf: (of: TestGate) => of.url },
  { name: 'HTTP/2', flags: ['--http2-prior-knowledge'], urlOf: (of: TestGate) => of.http2Url },
];

for (const { name, flags, urlOf } of PROTOCOLS) {
  describe(`over ${name}`, () => {
    it('passes path, query, status, headers and body as they are', async () => {
      const upstream = await origin((_request, response) => {
        response
          .writeHead(200, { 'content-type': 'text/plain; version=0.0.4', etag: '"1"', 'content-length': '5' })
          .end('up 1\n');
      });
      const through = await gate(upstreamAt(upstream.port));
      const query = 'match[]=%7Bjob%3D%22a%22%7D&match[]=up&x=a+b';
      const answer = await curl('-g', ...flags, `${urlOf(through)}/federate?${query}`);
      expect(answer).toMatchObject({ exit: 0, status: 200, body: 'up 1\n' });
      expect(answer.headers).toMatchObject({
        'content-type': 'text/plain; version=0.0.4',
        etag: '"1"',
        'content-length': '5',
      });
      expect(upstream.requests[0]?.url).toBe(`/federate?${query}`);
      expect(upstream.requests[0]?.headers.host).toBe(`127.0.0.1:${String(upstream.port)}`);
    });

    it('leaves gzip from the upstream untouched', async () => {
      const upstream = await origin((_request, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('up 1\n'.repeat(1000)));
      });
      const through = await gate(upstreamAt(upstream.port));
      const answer = await curl('--compressed', ...flags, `${urlOf(through)}/metrics`);
      expect(answer.headers['content-encoding']).toBe('gzip');
      expect(answer.body).toBe('up 1\n'.repeat(1000));
    });

    it('answers HEAD with the headers of the upstream and no body', async () => {
      const upstream = await origin((_request, response) => {
        response.writeHead(200, { 'content-length': '4711' }).end();
      });
      const through = await gate(upstreamAt(upstream.port));
      const answer = await curl('-I', ...flags, `${urlOf(through)}/-/ready`);
      expect(answer).toMatchObject({ exit: 0, status: 200 });
      expect(answer.headers['content-length']).toBe('4711');
      expect(upstream.requests[0]?.method).toBe('HEAD');
    });

    it('passes 304 and 204, which have no body', async () => {
      const upstream = await origin((request, response) => {
        response.writeHead(request.url === '/304' ? 304 : 204, { etag: '"2"' }).end();
      });
      const through = await gate(upstreamAt(upstream.port));
      for (const status of [304, 204]) {
        const answer = await curl(...flags, '-H', 'If-None-Match: "2"', `${urlOf(through)}/${String(status)}`);
        expect(answer).toMatchObject({ exit: 0, status, body: '' });
        expect(answer.headers['etag']).toBe('"2"');
      }
      expect(upstream.requests[0]?.headers['if-none-match']).toBe('"2"');
    });

    it('passes a request body with its length, and one without', async () => {
      const bodies: string[] = [];
      const upstream = await origin((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          bodies.push(Buffer.concat(chunks).toString());
          response.end('done');
        });
      });
      const through = await gate(upstreamAt(upstream.port));
      const known = await curl(...flags, '-d', 'query=up', `${urlOf(through)}/api/v1/query`);
      expect(known).toMatchObject({ exit: 0, status: 200, body: 'done' });
      expect(upstream.requests[0]?.headers).toMatchObject({
        'content-length': '8',
        'content-type': 'application/x-www-form-urlencoded',
      });
      const unknown = await curl(
        ...flags,
        '-H',
        'Transfer-Encoding: chunked',
        '-H',
        'Content-Type: text/plain',
        '-d',
        'query=up',
        `${urlOf(through)}/api/v1/query`,
      );
      expect(unknown).toMatchObject({ exit: 0, status: 200, body: 'done' });
      expect(bodies).toEqual(['query=up', 'query=up']);
      await poll('the accounting of both', () => through.metrics.records.length === 2);
      expect(through.metrics.records.map(({ bytesIn, bytesOut }) => [bytesIn, bytesOut])).toEqual([
        [8, 4],
        [8, 4],
      ]);
    });

    it('puts the configured headers on an answer and on a refusal, over those of the upstream', async () => {
      const upstream = await origin((_request, response) => {
        response.writeHead(200, { 'x-frame-options': 'ALLOW' }).end();
      });
      const config = { headers: { 'x-frame-options': 'deny', 'strict-transport-security': 'max-age=1' } };
      const through = await gate(upstreamAt(upstream.port), {
        config,
        before: (passage) => {
          if (passage.target.path !== '/no') return true;
          passage.answer.refuse('path_unknown');
          return false;
        },
      });
      for (const path of ['/metrics', '/no']) {
        const answer = await curl(...flags, `${urlOf(through)}${path}`);
        expect(answer.headers).toMatchObject(config.headers);
      }
    });

    it('sends 100 Continue when it wants the body, and not before', async () => {
      const upstream = await origin((request, response) => {
        request.resume().on('end', () => response.end('done'));
      });
      const refused = { now: false };
      const through = await gate(upstreamAt(upstream.port), {
        before: (passage) => {
          if (!refused.now) return true;
          passage.answer.refuse('credentials_missing');
          return false;
        },
      });
      const post = ['-v', ...flags, '-H', 'Expect: 100-continue', '--expect100-timeout', '10', '-d', 'query=up'];
      const let_in = await curl(...post, `${urlOf(through)}/api/v1/query`);
      expect(let_in).toMatchObject({ status: 200, body: 'done' });
      expect(let_in.stderr).toMatch(/< HTTP\/(1.1|2) 100/);
      expect(upstream.requests[0]?.headers.expect).toBeUndefined();
      refused.now = true;
      const kept_out = await curl(...post, `${urlOf(through)}/api/v1/query`);
      expect(kept_out.status).toBe(401);
      expect(kept_out.stderr).not.toMatch(/< HTTP\/(1.1|2) 100/);
      expect(upstream.requests).toHaveLength(1);
    });

    it('answers 502 when nobody listens, 504 when nobody answers, without an address', async () => {
      const gone = await origin(() => undefined);
      await gone.close();
      const down = await gate(upstreamAt(gone.port));
      const unreachable = await curl(...flags, `${urlOf(down)}/api/v1/query`);
      expect(unreachable.status).toBe(502);
      expect(unreachable.body).not.toContain(String(gone.port));
      expect(JSON.parse(unreachable.body)).toMatchObject({ status: 'error', errorType: 'unavailable' });
      expect(down.metrics.ups).toEqual([false]);

      const silent = await origin(() => undefined);
      const slow = await gate(upstreamAt(silent.port, { responseTimeoutMs: 200 }));
      const timeout = await curl(...flags, `${urlOf(slow)}/metrics`);
      expect(timeout).toMatchObject({ status: 504, exit: 0 });
      expect(slow.metrics.refusals).toEqual(['upstream_timeout']);
    });

    it('skips an early answer (103) of the upstream', async () => {
      const upstream = await origin((_request, response) => {
        response.writeEarlyHints({ link: '</a.css>; rel=preload' });
        response.end('done');
      });
      const through = await gate(upstreamAt(upstream.port));
      const answer = await curl('-v', ...flags, `${urlOf(through)}/`);
      expect(answer).toMatchObject({ status: 200, body: 'done' });
      expect(answer.stderr).not.toContain(' 103');
    });
  });
}

describe('server-sent events', () => {
  it('come at once, outlive the body time-out and end with their client', async () => {
    let ended = false;
    const upstream = await origin((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      request.socket.once('close', () => (ended = true));
    });
    const through = await gate(upstreamAt(upstream.port, { bodyTimeoutMs: 100 }));
    const leave = new AbortController();
    const answer = await fetch(`${through.url}/api/v1/notifications/live`, { signal: leave.signal });
    expect(answer.status).toBe(200);
    const other = await gate(
      upstreamAt((await origin((_request, response) => void response.write('x'))).port, { bodyTimeoutMs: 100 }),
    );
    // An ordinary body that falls silent is cut within the same time: by then the events are past theirs.
    expect((await curl(`${other.url}/`)).exit).toBe(18);
    expect(ended).toBe(false);
    leave.abort();
    await poll('the end of the upstream request', () => ended);
  });
});

describe('a retry', () => {
  /** Answers the first request of each connection, and destroys the connection on the second. */
  async function dyingOrigin(): Promise<Origin> {
    const seen = new WeakSet<object>();
    return origin((request, response) => {
      if (seen.has(request.socket)) request.socket.destroy();
      else response.end('done');
      seen.add(request.socket);
    });
  }

  it('is made once for a GET on a reused connection that died, on a fresh one', async () => {
    const upstream = await dyingOrigin();
    const through = await gate(upstreamAt(upstream.port));
    expect((await curl(`${through.url}/1`)).body).toBe('done');
    expect((await curl(`${through.url}/2`)).body).toBe('done');
    expect(upstream.requests.map(({ url }) => url)).toEqual(['/1', '/2', '/2']);
    expect(through.metrics.retries).toBe(1);
  });

  it('is not made for a POST', async () => {
    const upstream = await dyingOrigin();
    const through = await gate(upstreamAt(upstream.port));
    await curl(`${through.url}/1`);
    expect((await curl('-d', 'query=up', `${through.url}/2`)).status).toBe(502);
    expect(upstream.requests).toHaveLength(2);
    expect(through.metrics.retries).toBe(0);
  });

  it('is not made on a fresh connection', async () => {
    const upstream = await origin((request) => request.socket.destroy());
    const through = await gate(upstreamAt(upstream.port));
    expect((await curl(`${through.url}/1`)).status).toBe(502);
    expect(upstream.requests).toHaveLength(1);
    expect(through.metrics.refusals).toEqual(['upstream_failed']);
  });

  it('is not made when a byte of the response has come', async () => {
    const seen = new WeakSet<object>();
    const upstream = await origin((request, response) => {
      if (seen.has(request.socket)) request.socket.end('HTTP/1.1 200 OK\r\nconte');
      else response.end('done');
      seen.add(request.socket);
    });
    const through = await gate(upstreamAt(upstream.port));
    await curl(`${through.url}/1`);
    expect((await curl(`${through.url}/2`)).status).toBe(502);
    expect(upstream.requests).toHaveLength(2);
  });
});

describe('the queue', () => {
  it('waits for a connection, is bounded in length, and frees its place when a client leaves', async () => {
    const held: (() => void)[] = [];
    const upstream = await origin((_request, response) => held.push(() => response.end('done')));
    const through = await gate(upstreamAt(upstream.port, { maxConnections: 1, maxQueue: 1 }));
    const first = curl(`${through.url}/1`);
    await poll('the first', () => held.length === 1);
    const leave = new AbortController();
    const left = fetch(`${through.url}/2`, { signal: leave.signal }).catch(() => 'left');
    await poll('the second', () => through.metrics.flying === 2);
    const busy = await curl(`${through.url}/3`);
    expect(busy.status).toBe(503);
    expect(busy.headers['retry-after']).toBe('5');
    leave.abort();
    expect(await left).toBe('left');
    await poll('the place in the queue', () => through.metrics.flying === 1);
    const fourth = curl(`${through.url}/4`);
    await poll('the fourth', () => through.metrics.flying === 2);
    held[0]?.();
    expect((await first).body).toBe('done');
    await poll('the fourth at the upstream', () => held.length === 2);
    held[1]?.();
    expect((await fourth).body).toBe('done');
    expect(upstream.requests.map(({ url }) => url)).toEqual(['/1', '/4']);
    expect(upstream.sockets.size).toBe(1);
    expect(through.metrics.refusals).toEqual(['upstream_busy']);
  });

  it('is left after the queue time-out with 503', async () => {
    const upstream = await origin(() => undefined);
    const through = await gate(upstreamAt(upstream.port, { maxConnections: 1, queueTimeoutMs: 50 }));
    const leave = new AbortController();
    const first = fetch(through.url, { signal: leave.signal }).catch(() => 'left');
    await poll('the first', () => upstream.requests.length === 1);
    expect((await curl(`${through.url}/2`)).status).toBe(503);
    leave.abort();
    await first;
  });
});

describe('the path upstream', () => {
  it('is base path, then the whole path or what is below the prefix', async () => {
    const upstream = await origin((_request, response) => response.end());
    const kept = await gate(upstreamAt(upstream.port, { pathPrefix: '/site', basePath: '/base' }));
    await curl(`${kept.url}/site/metrics?a=1`);
    const stripped = await gate(
      upstreamAt(upstream.port, { pathPrefix: '/site', stripPrefix: true, basePath: '/base' }),
      {
        before: (passage) => {
          passage.kindPath = '/metrics';
          return true;
        },
      },
    );
    await curl(`${stripped.url}/site/metrics?a=1`);
    expect(upstream.requests.map(({ url }) => url)).toEqual(['/base/site/metrics?a=1', '/base/metrics?a=1']);
  });

  it('is given literally where http-proxy would refuse or rewrite it', async () => {
    const upstream = await origin((_request, response) => response.end('done'));
    const through = await gate(upstreamAt(upstream.port));
    for (const path of ['/..a/x', '/a..', '/api/v1/label/%C3%A9/values', '/a?x={b}|"c"', '/a?x=%zz;&&=']) {
      expect((await curl('-g', '--path-as-is', `${through.url}${path}`)).body).toBe('done');
    }
    expect(upstream.requests.map(({ url }) => url)).toEqual([
      '/..a/x',
      '/a..',
      '/api/v1/label/%C3%A9/values',
      '/a?x={b}|"c"',
      '/a?x=%zz;&&=',
    ]);
  });
});

describe('an upstream on a unix socket', () => {
  it('is asked through it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'promgate-socket-'));
    const socketPath = join(folder, 'up.sock');
    const server = createServer((request, response) => response.end(`${request.headers.host} ${request.url}`));
    server.listen(socketPath);
    await once(server, 'listening');
    closing.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    });
    const through = await gate(upstreamOf({ address: { kind: 'unix', socketPath } }));
    expect((await curl(`${through.url}/metrics?a=1`)).body).toBe('localhost /metrics?a=1');
    const nowhere = await gate(upstreamOf({ address: { kind: 'unix', socketPath: join(folder, 'none') } }));
    const answer = await curl(`${nowhere.url}/metrics`);
    expect(answer.status).toBe(502);
    expect(answer.body).not.toContain(folder);
  });
});

describe('a self upstream', () => {
  it('is asked with the path below its prefix and answers through the same answer', async () => {
    const asked: unknown[] = [];
    const upstream = upstreamAt(1, { name: 'self', address: { kind: 'self' }, kind: 'exporter' });
    const through = await gate(upstream, {
      self: (question, answer) => {
        asked.push([question.method, question.path, question.query, question.headers['authorization']]);
        answer.open(200, { 'content-type': 'text/plain' });
        answer.write(Buffer.from('up 1\n'));
        answer.end();
      },
    });
    const answer = await curl('-u', 'a:b', `${through.url}/metrics?x=1`);
    expect(answer).toMatchObject({ exit: 0, status: 200, body: 'up 1\n' });
    expect(asked).toEqual([['GET', '/metrics', 'x=1', undefined]]);
  });
});
