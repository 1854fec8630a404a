/**
 * The attack: bodies. One larger than the limit fills the upstream (http-proxy's bodyLimit is not enforced on streams);
 * 2 GB sent after a refusal are swallowed by Node; a reset h2 stream looks like the end of a body, so that the upstream
 * takes half a request for a whole one; refused bodies eat up the pool.
 */
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/config/config.ts';
import { upstreamAt } from '../support/config-fixture.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import type { GateOptions, Origin, TestGate } from '../request/forward/gate-fixture.ts';
import { curl } from '../support/curl.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An upstream that keeps what it got of each body, and whether it came to its end. */
async function behind(changes: Partial<Upstream>, options: Omit<GateOptions, 'upstream'> = {}) {
  const bodies: { bytes: number; complete: boolean }[] = [];
  const origin: Origin = await startOrigin((request, response) => {
    const body = { bytes: 0, complete: false };
    bodies.push(body);
    request.on('data', (chunk: Buffer) => (body.bytes += chunk.length));
    request.on('error', () => undefined);
    request.on('end', () => {
      body.complete = true;
      response.end('done');
    });
  });
  const gate: TestGate = await startGate({ upstream: upstreamAt(origin.port, changes), ...options });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  return { gate, origin, bodies };
}

const FORM = ['-H', 'Content-Type: application/x-www-form-urlencoded', '-H', 'Expect:'];
const PROTOCOLS: [string, string[], (gate: TestGate) => string][] = [
  ['HTTP/1.1', [], (gate) => gate.url],
  ['HTTP/2', ['--http2-prior-knowledge'], (gate) => gate.http2Url],
];

describe.each(PROTOCOLS)('a body above the limit over %s', (_name, flags, urlOf) => {
  it('is 413 before the upstream is asked when Content-Length says so', async () => {
    const { gate, origin } = await behind({ requestBodyLimit: 1000 });
    const answer = await curl(...flags, ...FORM, '-d', 'x'.repeat(1001), `${urlOf(gate)}/api/v1/query`);
    expect(answer).toMatchObject({ exit: 0, status: 413 });
    expect(origin.requests).toHaveLength(0);
  });

  it('is 413 at the limit when it is chunked, and the upstream does not see its end', async () => {
    const { gate, bodies } = await behind({ requestBodyLimit: 100_000 });
    const chunked = ['-H', 'Transfer-Encoding: chunked', '--data-binary', '@/proc/self/exe'];
    const { status } = await curl(...flags, ...FORM, ...chunked, `${urlOf(gate)}/api/v1/query`);
    expect(status).toBe(413);
    expect(bodies.every(({ complete, bytes }) => !complete && bytes <= 100_000)).toBe(true);
    expect(gate.metrics.refusals).toEqual(['body_too_large']);
  });

  it('leaves the pool whole after 20 of them', async () => {
    const { gate } = await behind({ requestBodyLimit: 100_000, maxConnections: 2, maxQueue: 0 });
    const chunked = ['-H', 'Transfer-Encoding: chunked', '--data-binary', '@/proc/self/exe'];
    for (let count = 0; count < 20; count += 1) {
      const { status } = await curl(...flags, ...FORM, ...chunked, `${urlOf(gate)}/api/v1/query`);
      expect(status).toBe(413);
    }
    expect((await curl(...flags, ...FORM, '-d', 'x', `${urlOf(gate)}/api/v1/query`)).body).toBe('done');
  });
});

/** More than is taken in before the upstream is asked. */
const HALF = 'h'.repeat(100_000);

describe('a body that the client cuts', () => {
  it('never looks complete to the upstream on HTTP/2', async () => {
    const { gate, bodies } = await behind({});
    const client = connectHttp2(gate.http2Url);
    const headers = { ':method': 'POST', ':path': '/api/v1/write', 'content-type': 'text/plain' };
    // Without waitForTrailers Node's client ends the stream before it resets it.
    const stream = client.request(headers, { waitForTrailers: true });
    stream.on('error', () => undefined);
    stream.write(HALF);
    await poll('the first half', () => bodies[0]?.bytes === HALF.length);
    stream.close(8);
    await poll('the end of the request', () => gate.metrics.flying === 0);
    client.destroy();
    await poll('the end of the connection upstream', () => gate.pools.of(gate.upstream).pool.active === 0);
    expect(bodies).toEqual([{ bytes: HALF.length, complete: false }]);
  });

  it('never looks complete to the upstream on HTTP/1.1', async () => {
    const { gate, bodies } = await behind({});
    const socket = connect(gate.port, '127.0.0.1');
    socket.write('POST /api/v1/write HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(`${HALF.length.toString(16)}\r\n${HALF}\r\n`);
    await poll('the first half', () => bodies[0]?.bytes === HALF.length);
    socket.destroy();
    await poll('the end of the request', () => gate.metrics.flying === 0);
    expect(bodies).toEqual([{ bytes: HALF.length, complete: false }]);
  });
});

describe('a refusal before the body', () => {
  it('closes an HTTP/1.1 connection at once, whatever is still sent', async () => {
    const { gate } = await behind(
      {},
      {
        before: (passage) => {
          passage.answer.refuse('credentials_missing');
          return false;
        },
      },
    );
    const socket = connect(gate.port, '127.0.0.1');
    let sent = 0;
    let closed = false;
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined).on('close', () => (closed = true));
    const block = Buffer.alloc(1_000_000);
    const pump = (): void => {
      while (!closed && sent < 200_000_000) {
        sent += block.length;
        if (!socket.write(block)) return;
      }
    };
    socket.on('drain', pump);
    socket.write('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000000\r\n\r\n');
    pump();
    await poll('the end of the connection', () => closed);
    expect(text).toMatch(/^HTTP\/1.1 401 /);
    expect(text.toLowerCase()).toContain('connection: close');
    expect(sent).toBeLessThan(50_000_000);
  });

  it('resets an HTTP/2 stream without an error after the answer, and the connection lives on', async () => {
    const { gate } = await behind(
      {},
      {
        before: (passage) => {
          if (passage.target.method === 'GET') return true;
          passage.answer.refuse('credentials_missing');
          return false;
        },
      },
    );
    const client = connectHttp2(gate.http2Url);
    const stream = client.request({ ':method': 'POST', ':path': '/a' });
    let status = 0;
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.on('error', () => undefined).resume();
    const block = Buffer.alloc(65_536);
    const pump = (): void => {
      while (!stream.closed && stream.write(block));
    };
    stream.on('drain', pump);
    pump();
    await poll('the end of the stream', () => stream.closed);
    expect([status, stream.rstCode]).toEqual([401, 0]);
    const next = client.request({ ':path': '/b' });
    let nextStatus = 0;
    next.on('response', (headers) => (nextStatus = headers[':status'] ?? 0)).resume();
    await poll('the next answer', () => nextStatus === 200);
    client.destroy();
  });
});
