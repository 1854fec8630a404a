/**
 * The attack: everything that @fastify/http-proxy does by default and a gate must not do. Asking ten times for a 503 and
 * leaking a connection each time, until the pool is empty and the proxy hangs for good; 500 with the upstream's address;
 * credentials of clients sent on; bodies without a limit; a 500 for headers that undici does not like.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/config/config.ts';
import { upstreamAt } from '../support/config-fixture.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import type { Origin, TestGate } from '../request/forward/gate-fixture.ts';
import { curl } from '../support/curl.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function behind(
  answer: Parameters<typeof startOrigin>[0],
  changes: Partial<Upstream> = {},
): Promise<{ gate: TestGate; origin: Origin }> {
  const origin = await startOrigin(answer);
  const gate = await startGate({ upstream: upstreamAt(origin.port, changes) });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  return { gate, origin };
}

describe('a GET that is answered 503', () => {
  it('is asked once, whatever Retry-After says', async () => {
    const { gate, origin } = await behind((_request, response) => {
      response.writeHead(503, { 'retry-after': '1' }).end('starting');
    });
    const answer = await curl(`${gate.url}/metrics`);
    expect(answer).toMatchObject({ exit: 0, status: 503, body: 'starting' });
    expect(answer.headers['retry-after']).toBe('1');
    expect(origin.requests).toHaveLength(1);
  });

  it('does not use up the connections when its body is large', async () => {
    const { gate, origin } = await behind(
      (request, response) => {
        if (request.url === '/ok') response.end('ok');
        else response.writeHead(503).end(Buffer.alloc(100_000));
      },
      { maxConnections: 4 },
    );
    for (let count = 0; count < 10; count += 1) {
      expect((await curl(`${gate.url}/metrics`)).status).toBe(503);
    }
    expect((await curl(`${gate.url}/ok`)).body).toBe('ok');
    expect(origin.requests).toHaveLength(11);
    expect(origin.sockets.size).toBeLessThanOrEqual(4);
  });
});

describe('headers of a client that undici throws on', () => {
  it.each([
    ['Keep-Alive: timeout=5'],
    ['Upgrade: websocket'],
    ['Proxy-Connection: keep-alive'],
    ['Expect: something'],
    ['Connection: keep-alive, x-named'],
    ['TE: trailers'],
    ['Trailer: x-sum'],
    ['HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'],
  ])('%s is neither a 500 nor passed on', async (header) => {
    const { gate, origin } = await behind((_request, response) => response.end('ok'), { kind: 'any' });
    const answer = await curl('-H', header, '-H', 'X-Named: 1', `${gate.url}/`);
    expect(answer).toMatchObject({ exit: 0, status: 200 });
    const [name = ''] = header.toLowerCase().split(':');
    const got = origin.requests[0]?.headers ?? {};
    if (name === 'connection') expect(got).not.toHaveProperty('x-named');
    else expect(got).not.toHaveProperty(name);
    expect(got.connection).toBe('keep-alive');
  });
});

describe('an upstream that cannot be asked', () => {
  it('is 502 without an address and without a stack, and the log has both address and reason', async () => {
    const { gate, origin } = await behind(() => undefined);
    await origin.close();
    const answer = await curl(`${gate.url}/metrics`);
    expect(answer.status).toBe(502);
    expect(answer.body).toBe(`upstream unreachable (request ${answer.headers['x-request-id'] ?? ''})\n`);
    await poll('the log line', () => gate.log.lines.some(({ message }) => message === 'request refused'));
    const line = gate.log.lines.find(({ message }) => message === 'request refused');
    expect(line?.fields).toMatchObject({
      id: answer.headers['x-request-id'],
      reason: 'upstream_unreachable',
      status: 502,
    });
    expect(String(line?.fields['detail'])).toContain(String(origin.port));
  });

  it('is 502 when it closes the connection or answers with something that is not HTTP', async () => {
    const { gate } = await behind((request) => request.socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    expect((await curl(`${gate.url}/metrics`)).status).toBe(502);
    const closes = await behind((request) => request.socket.destroy());
    expect((await curl(`${closes.gate.url}/metrics`)).status).toBe(502);
  });
});

describe('hop-by-hop headers of an upstream', () => {
  it('do not reach the client, nor do those that its Connection names', async () => {
    const { gate } = await behind((_request, response) => {
      response.writeHead(200, {
        connection: 'keep-alive, x-hop',
        'x-hop': '1',
        'keep-alive': 'timeout=77',
        'proxy-authenticate': 'Basic',
        'alt-svc': 'h3=":443"',
        server: 'nginx',
      });
      response.end('ok');
    });
    for (const argv of [[gate.url], ['--http2-prior-knowledge', gate.http2Url]]) {
      const answer = await curl(...argv);
      expect(answer).toMatchObject({ status: 200, body: 'ok' });
      for (const name of ['x-hop', 'proxy-authenticate', 'alt-svc']) expect(answer.headers).not.toHaveProperty(name);
      expect(answer.headers['keep-alive'] ?? '').not.toContain('77');
      expect(answer.headers['server']).toBe('nginx');
    }
  });
});

describe('the methods', () => {
  it('reach the upstream when it is of kind any, with and without a body', async () => {
    const { gate, origin } = await behind((request, response) => request.resume().on('end', () => response.end('ok')), {
      kind: 'any',
    });
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT']) {
      expect((await curl('-X', method, `${gate.url}/`)).body).toBe('ok');
    }
    expect((await curl('-X', 'DELETE', '-d', 'x', `${gate.url}/`)).body).toBe('ok');
    expect(origin.requests.map(({ method }) => method)).toEqual([
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'PROPFIND',
      'REPORT',
      'DELETE',
    ]);
  });

  it('TRACE is refused: it would show the credential that the gate sends upstream', async () => {
    const { gate, origin } = await behind((_request, response) => response.end('ok'), {
      kind: 'any',
      authorization: { kind: 'header', value: 'Bearer secret' },
    });
    const answer = await curl('-X', 'TRACE', `${gate.url}/`);
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toContain('GET');
    expect(origin.requests).toHaveLength(0);
  });
});
