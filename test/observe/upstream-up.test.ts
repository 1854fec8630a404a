import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/config/config.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLookup } from '../../src/lib/lookup.ts';
import { createProbe, readyPath, watchUpstreams, type Probe } from '../../src/observe/upstream-up.ts';
import { createAuthority } from '../support/certificates.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { freePort } from '../support/free-port.ts';
import { upstreamAt, upstreamOf } from '../support/config-fixture.ts';
import { recordingLog } from './recording-log.ts';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function listening(
  server: Server | TcpServer,
  place: { port: number; host: string } | { path: string },
): Promise<number> {
  closing.push(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return new Promise((resolve) => {
    server.listen(place, () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 0);
    });
  });
}

function serve(listener: RequestListener): Promise<number> {
  return listening(createServer(listener), { port: 0, host: '127.0.0.1' });
}

const resolvesTo = (...addresses: string[]) => createLookup({ resolveHost: () => Promise.resolve(addresses) });
const probe = createProbe({ clock: systemClock, lookup: resolvesTo('127.0.0.1') });

describe('the probe of a Prometheus', () => {
  it('asks /-/ready with the credentials of the upstream, once, and reads no body', async () => {
    const asked: unknown[] = [];
    const port = await serve((request, response) => {
      asked.push([request.method, request.url, request.headers.authorization, request.headers.host]);
      response.end('ready');
    });
    const upstream = upstreamAt(port, { basePath: '/prom', authorization: { kind: 'header', value: 'Bearer x' } });
    expect(await probe(upstream)).toBeNull();
    expect(asked).toEqual([['GET', '/prom/-/ready', 'Bearer x', `127.0.0.1:${port}`]]);
  });

  it('is down while it replays its WAL', async () => {
    const port = await serve((_, response) => response.writeHead(503).end());
    expect(await probe(upstreamAt(port))).toBe('status 503');
  });

  it('is up when it answers anything that is no failure of its own', async () => {
    const port = await serve((_, response) => response.writeHead(404).end());
    expect(await probe(upstreamAt(port))).toBeNull();
  });

  it('is down when nobody listens', async () => {
    expect(await probe(upstreamAt(await freePort()))).toBe('ECONNREFUSED');
  });

  it('is down when there is no answer within 5 s', async () => {
    const clock = createFakeClock();
    let arrived = false;
    const port = await serve(() => {
      arrived = true;
    });
    const result = createProbe({ clock, lookup: resolvesTo('127.0.0.1') })(upstreamAt(port));
    await expect.poll(() => arrived).toBe(true);
    clock.advance(5000);
    expect(await result).toBe('no answer within 5 s');
  });

  it('asks by the name of the upstream at the address that the resolver gives', async () => {
    let host: string | undefined;
    const port = await serve((request, response) => {
      host = request.headers.host;
      response.end();
    });
    const origin = `http://prometheus.internal:${port}`;
    const upstream = upstreamOf({ address: { kind: 'http', origin, host: 'prometheus.internal', port } });
    expect(await probe(upstream)).toBeNull();
    expect(host).toBe(`prometheus.internal:${port}`);
  });

  it('is down over TLS unless its certificate is trusted for its name', async () => {
    const authority = createAuthority();
    closing.push(() => {
      authority.remove();
    });
    const { cert, key } = authority.issue({ name: 'x', sans: ['DNS:prometheus.internal'] });
    const port = await listening(
      createHttps({ cert, key }, (_, response) => response.end()),
      { port: 0, host: '127.0.0.1' },
    );
    const at = (host: string, ca: readonly string[] | null): Upstream =>
      upstreamOf({
        address: { kind: 'https', origin: `https://${host}:${port}`, host, port },
        tls: { ca, clientCertificate: null, serverName: null },
      });
    expect(await probe(at('prometheus.internal', [authority.cert]))).toBeNull();
    expect(await probe(at('other.internal', [authority.cert]))).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await probe(at('prometheus.internal', null))).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  it.each([
    [{ pathPrefix: '/', stripPrefix: false, basePath: '' }, '/-/ready'],
    [{ pathPrefix: '/prom', stripPrefix: false, basePath: '' }, '/prom/-/ready'],
    [{ pathPrefix: '/prom', stripPrefix: true, basePath: '' }, '/-/ready'],
    [{ pathPrefix: '/prom', stripPrefix: true, basePath: '/base' }, '/base/-/ready'],
  ])('with %j is at %s', (changes, path) => {
    expect(readyPath(upstreamOf(changes))).toBe(path);
  });
});

describe('the probe of an upstream with several addresses', () => {
  const at = (port: number, kind: Upstream['kind'] = 'prometheus'): Upstream =>
    upstreamAt(port, {
      kind,
      address: { kind: 'http', origin: `http://prometheus.internal:${port}`, host: 'prometheus.internal', port },
    });

  it.each([
    ['refuses', ['127.0.0.2', '127.0.0.1']],
    ['has no route to its IPv6 address', ['2001:db8::1', '127.0.0.1']],
    ['is silent', ['192.0.2.1', '127.0.0.1']],
  ])('is up where one of them %s', { timeout: 15_000 }, async (_what, addresses) => {
    const port = await serve((_request, response) => response.end('ready'));
    const trying = createProbe({ clock: systemClock, lookup: resolvesTo(...addresses) });
    expect(await trying(at(port))).toBeNull();
    expect(await trying(at(port, 'exporter'))).toBeNull();
  });

  it('is down where none answers', async () => {
    const trying = createProbe({ clock: systemClock, lookup: resolvesTo('127.0.0.2', '127.0.0.1') });
    expect(await trying(at(await freePort()))).toBe('ECONNREFUSED');
  });
});

describe('the probe of an exporter', () => {
  it('connects, sends nothing and leaves', async () => {
    let received = '';
    let ended = false;
    const server = createTcp((socket) => {
      socket.on('data', (chunk) => (received += chunk.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => (ended = true));
    });
    const port = await listening(server, { port: 0, host: '127.0.0.1' });
    expect(await probe(upstreamAt(port, { kind: 'exporter' }))).toBeNull();
    await expect.poll(() => ended).toBe(true);
    expect(received).toBe('');
  });

  it('reaches a unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'promgate-up-'));
    closing.push(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const socketPath = join(directory, 'x.sock');
    const upstream = upstreamOf({ kind: 'exporter', address: { kind: 'unix', socketPath } });
    expect(await probe(upstream)).toBe('ENOENT');
    await listening(createTcp(), { path: socketPath });
    expect(await probe(upstream)).toBeNull();
  });
});

describe('the watch', () => {
  function watch(upstreams: readonly Upstream[], steered: Probe, random = () => 0.5) {
    const clock = createFakeClock();
    const log = recordingLog();
    const told: [string, boolean][] = [];
    const metrics = { upstreamUp: (name: string, up: boolean) => told.push([name, up]) };
    const made = watchUpstreams({ upstreams, clock, log, metrics, probe: steered, random });
    closing.push(() => {
      made.close();
    });
    return { made, clock, log, told };
  }

  it('probes at once and every 15 s, and logs only changes', async () => {
    const faults = [null, null, 'ECONNREFUSED', 'ECONNREFUSED', null];
    const { clock, log, told } = watch([upstreamOf()], async () => faults.shift() ?? null);
    for (let at = 1; at <= 5; at += 1) {
      await expect.poll(() => told.length).toBe(at);
      clock.advance(14_999);
      expect(told).toHaveLength(at);
      clock.advance(1);
    }
    expect(told.map(([, up]) => up)).toEqual([true, true, false, false, true]);
    expect(log.lines.map(({ level, message, fields }) => [level, message, fields['detail']])).toEqual([
      ['warn', 'upstream is down', 'ECONNREFUSED'],
      ['info', 'upstream is up', undefined],
    ]);
  });

  it('spreads the probes by a fifth either way', async () => {
    const { clock, told } = watch(
      [upstreamOf()],
      async () => null,
      () => 0,
    );
    await expect.poll(() => told.length).toBe(1);
    clock.advance(12_000);
    await expect.poll(() => told.length).toBe(2);
  });

  it('starts no second probe before the first has ended', async () => {
    let probes = 0;
    const { clock } = watch([upstreamOf()], () => {
      probes += 1;
      return new Promise(() => undefined);
    });
    clock.advance(120_000);
    expect(probes).toBe(1);
  });

  it('takes an upstream whose probe breaks as down', async () => {
    const { told, log } = watch([upstreamOf()], () => Promise.reject(new Error('cannot resolve x')));
    await expect.poll(() => told).toEqual([['http://127.0.0.1:9090', false]]);
    expect(log.lines[0]?.fields['detail']).toBe('cannot resolve x');
  });

  it('takes the gate itself as up without asking', () => {
    const { told } = watch([upstreamOf({ name: 'self', address: { kind: 'self' } })], () =>
      Promise.reject(new Error('asked')),
    );
    expect(told).toEqual([['self', true]]);
  });

  it('forgets what a new configuration no longer has', async () => {
    const asked: string[] = [];
    const { made, clock, told } = watch([upstreamAt(1)], async ({ name }) => {
      asked.push(name);
      return null;
    });
    await expect.poll(() => told.length).toBe(1);
    made.apply([upstreamAt(2)]);
    await expect.poll(() => told.length).toBe(2);
    clock.advance(15_000);
    await expect.poll(() => told.length).toBe(3);
    made.close();
    clock.advance(60_000);
    expect(asked).toEqual(['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:2']);
  });
});
