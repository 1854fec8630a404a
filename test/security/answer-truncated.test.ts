/**
 * The attack: an upstream dies in the middle of a body (or somebody on the way cuts it) and the client takes half a
 * /federate for a whole one. By default @fastify/http-proxy ends the h2 stream with NO_ERROR: `curl --http2` exits 0.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { upstreamAt } from '../support/config-fixture.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import { createAuthority } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function throughGate(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  bodyTimeoutMs = 60_000,
) {
  const upstream = await startOrigin(answer);
  const gate = await startGate({ upstream: upstreamAt(upstream.port, { bodyTimeoutMs }) });
  closing.push(
    () => upstream.close(),
    () => gate.close(),
  );
  return gate;
}

const CUTS: readonly [string, (request: IncomingMessage, response: ServerResponse) => void][] = [
  [
    'in a chunked body',
    (request, response) => {
      response.write('up 1\n', () => setImmediate(() => request.socket.destroy()));
    },
  ],
  [
    'in a large body that the client has not read yet',
    (request, response) => {
      response.write(Buffer.alloc(500_000, 'x'), () => setImmediate(() => request.socket.destroy()));
    },
  ],
  [
    'below its Content-Length',
    (request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('up 1\n', () => setImmediate(() => request.socket.destroy()));
    },
  ],
  [
    'before the first byte of a body',
    (request, response) => {
      response.flushHeaders();
      setImmediate(() => request.socket.destroy());
    },
  ],
  [
    'with a reset',
    (request, response) => {
      response.write('up 1\n', () => setImmediate(() => request.socket.resetAndDestroy()));
    },
  ],
];

describe.each(CUTS)('a body that is cut upstream %s', (_name, answer) => {
  it('is an error for the client on HTTP/1.1', async () => {
    const gate = await throughGate(answer);
    const got = await curl(`${gate.url}/federate`);
    expect(got.exit).not.toBe(0);
    await poll('the accounting', () => gate.metrics.records.length === 1);
    expect(gate.metrics.refusals).toEqual(['upstream_failed']);
    expect(gate.log.lines).toContainEqual(
      expect.objectContaining({
        message: 'answer cut',
        fields: expect.objectContaining({ reason: 'upstream_failed' }),
      }),
    );
  });

  it('is an error for the client on HTTP/2, and its connection lives on', async () => {
    const gate = await throughGate((request, response) => {
      if (request.url === '/whole') response.end('whole');
      else answer(request, response);
    });
    const url = (path: string) => `${gate.http2Url}${path}`;
    const got = await curl('--http2-prior-knowledge', url('/federate'));
    expect(got.exit).toBe(92);
    const both = await curl('-v', '--http2-prior-knowledge', url('/federate'), '-o', '/dev/null', url('/whole'));
    expect(both.stderr).toContain('Re-using existing connection');
  });
});

describe('a body that falls silent upstream', () => {
  it.each([
    ['HTTP/1.1', [], 18],
    ['HTTP/2', ['--http2-prior-knowledge'], 92],
  ])('is an error for the client on %s after the body time-out', async (_name, flags, exit) => {
    const gate = await throughGate((_request, response) => void response.write('up 1\n'), 100);
    const url = flags.length === 0 ? gate.url : gate.http2Url;
    expect((await curl(...flags, `${url}/federate`)).exit).toBe(exit);
    expect(gate.metrics.refusals).toEqual(['upstream_timeout']);
  });
});

describe('a client that speaks HTTP/1.0, to which the end of the connection is the end of a body', () => {
  const cut = (request: IncomingMessage, response: ServerResponse): void => {
    response.write('up 1\n', () => setImmediate(() => request.socket.destroy()));
  };

  it('sees a cut body of unknown length as an error', async () => {
    const gate = await throughGate(cut);
    expect((await curl('-0', `${gate.url}/federate`)).exit).toBe(56);
  });

  it('sees it over TLS as well', async () => {
    const authority = createAuthority();
    closing.push(() => Promise.resolve(authority.remove()));
    const server = authority.issue({ name: 'gate', sans: ['IP:127.0.0.1'] });
    const upstream = await startOrigin((request, response) => {
      if (request.url === '/whole') response.end('whole');
      else cut(request, response);
    });
    const gate = await startGate({ upstream: upstreamAt(upstream.port), tls: server });
    closing.push(
      () => upstream.close(),
      () => gate.close(),
    );
    const tls = ['-0', '--no-alpn', '--cacert', authority.certFile];
    expect((await curl(...tls, `${gate.url}/whole`)).exit).toBe(0);
    expect((await curl(...tls, `${gate.url}/federate`)).exit).toBe(56);
  });
});
