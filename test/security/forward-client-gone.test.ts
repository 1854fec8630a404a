/**
 * The attack: clients that ask and leave. By default http-proxy never cancels a request whose client left before the
 * headers: Prometheus goes on computing queries of people who are long gone, and the pool fills up with them.
 */
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/config/config.ts';
import { upstreamAt } from '../support/config-fixture.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import type { TestGate } from '../request/forward/gate-fixture.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Begins a request and returns a way to leave. */
type Client = (gate: TestGate, path: string, body?: Buffer) => () => void;

const http1: Client = (gate, path, body) => {
  const socket = connect(gate.port, '127.0.0.1');
  socket.on('error', () => undefined);
  if (body === undefined) socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  else {
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${String(body.length * 2)}\r\n\r\n`);
    socket.write(body);
  }
  return () => socket.destroy();
};

const http2: Client = (gate, path, body) => {
  const client = connectHttp2(gate.http2Url);
  const headers = body === undefined ? { ':path': path } : { ':path': path, ':method': 'POST' };
  const stream = client.request(headers, { endStream: body === undefined, waitForTrailers: body !== undefined });
  stream.on('error', () => undefined);
  if (body !== undefined) stream.write(body);
  closing.push(() => {
    client.destroy();
    return Promise.resolve();
  });
  return () => stream.close(8);
};

async function behind(answer: Parameters<typeof startOrigin>[0], changes: Partial<Upstream> = {}) {
  const cancelled: string[] = [];
  const origin = await startOrigin((request, response) => {
    response.once('close', () => {
      if (!response.writableFinished) cancelled.push(request.url ?? '');
    });
    answer(request, response);
  });
  const gate = await startGate({ upstream: upstreamAt(origin.port, changes) });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  return { gate, origin, cancelled };
}

const CLIENTS: [string, Client][] = [
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
];

describe.each(CLIENTS)('a client over %s that leaves', (_name, ask) => {
  it('before the headers cancels the request upstream and frees its connection', async () => {
    const { gate, origin, cancelled } = await behind(() => undefined, { maxConnections: 1, maxQueue: 0 });
    const leave = ask(gate, '/slow');
    await poll('the request upstream', () => origin.requests.length === 1);
    leave();
    await poll('its cancelling', () => cancelled.length === 1);
    await poll('the accounting', () => gate.metrics.records.length === 1);
    expect(gate.metrics.records[0]?.status).toBe(499);
    expect(gate.metrics.refusals).toEqual([]);
    expect(gate.metrics.flying).toBe(0);
    expect(gate.pools.of(gate.upstream).pool.active).toBe(0);
  });

  it('within the body cancels the request upstream', async () => {
    const { gate, cancelled } = await behind((_request, response) => void response.write('up 1\n'));
    const leave = ask(gate, '/federate');
    await poll('the answer', () => gate.metrics.ups.length === 1);
    leave();
    await poll('its cancelling', () => cancelled.length === 1);
  });

  it('while it waits in the queue gives up its place, with and without a body', async () => {
    const { gate, origin } = await behind(() => undefined, { maxConnections: 1, maxQueue: 1, queueTimeoutMs: 60_000 });
    ask(gate, '/first');
    await poll('the request upstream', () => origin.requests.length === 1);
    for (const body of [undefined, Buffer.alloc(100_000)]) {
      const leave = ask(gate, '/second', body);
      await poll('the place', () => gate.pools.of(gate.upstream).pool.queued === 1);
      leave();
      await poll('its end', () => gate.pools.of(gate.upstream).pool.queued === 0);
    }
    await poll('the accounting', () => gate.metrics.flying === 1);
  });
});

describe('a client whose body waits for the upstream to read it', () => {
  it('cancels its request when it leaves over HTTP/2', async () => {
    const { gate, origin } = await behind(() => undefined, { requestBodyLimit: 100_000_000 });
    const leave = http2(gate, '/api/v1/write', Buffer.alloc(20_000_000));
    await poll('the request upstream', () => origin.requests.length === 1);
    leave();
    // The upstream does not read either, so only our end of its connection shows it.
    await poll('its end', () => gate.pools.of(gate.upstream).pool.active === 0);
    expect(gate.metrics.flying).toBe(0);
  });

  it('holds its connection until the response time-out at most over HTTP/1.1, where nobody sees that it has left', async () => {
    const changes = { requestBodyLimit: 100_000_000, responseTimeoutMs: 500 };
    const { gate, origin } = await behind(() => undefined, changes);
    const leave = http1(gate, '/api/v1/write', Buffer.alloc(20_000_000));
    await poll('the request upstream', () => origin.requests.length === 1);
    leave();
    // The upstream does not read either, so only our end of its connection shows it.
    await poll('its end', () => gate.pools.of(gate.upstream).pool.active === 0);
    expect(gate.metrics.flying).toBe(0);
  });
});

describe('a client that leaves while the upstream is being connected', () => {
  it('frees its connection long before the connect time-out', async () => {
    // An address of a documentation network (RFC 5737): nothing answers there, or it is unreachable at once.
    const address = { kind: 'http', origin: 'http://192.0.2.1:9', host: '192.0.2.1', port: 9 } as const;
    const gate = await startGate({ upstream: upstreamAt(9, { address, connectTimeoutMs: 60_000 }) });
    closing.push(() => gate.close());
    const leave = http1(gate, '/');
    await poll('the request', () => gate.metrics.flying === 1 || gate.metrics.records.length === 1);
    leave();
    await poll('its end', () => gate.pools.of(gate.upstream).pool.active === 0);
  });
});
