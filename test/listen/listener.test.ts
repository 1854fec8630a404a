import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { spawnSync } from 'node:child_process';
import { connect as connectH2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { createAuthority, type Authority, type Issued } from '../support/certificates.ts';
import { poll } from '../support/poll.ts';
import { configOf, dialTcp, dialTls, GET, startRig, tlsOf, type Rig } from './harness.ts';

let authority: Authority;
let server: Issued;
const rigs: Rig[] = [];

beforeAll(() => {
  authority = createAuthority();
  server = authority.issue({ name: 'gate', sans: ['DNS:localhost', 'IP:127.0.0.1'] });
});
afterAll(() => {
  authority.remove();
});
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.listener.close();
});

async function start(...parameters: Parameters<typeof startRig>): Promise<Rig> {
  const rig = await startRig(...parameters);
  rigs.push(rig);
  return rig;
}

describe('listening', () => {
  test('may begin long after the start: until then there is nothing to sweep, and no configuration', async () => {
    const every: Clock['every'] = (ms, callback) => {
      callback();
      return systemClock.every(ms, callback);
    };
    const rig = await start(configOf({ tls: null }), { ...systemClock, every });
    expect(rig.live()).toBe(0);
  });

  test('an address in use is PORT_TAKEN with a way out, and nothing else stays open', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const socketFile = join(mkdtempSync(join(tmpdir(), 'promgate-listen-')), 'gate.sock');
    const listen = [
      { kind: 'unix' as const, path: socketFile, text: `unix:${socketFile}` },
      { kind: 'tcp' as const, host: '127.0.0.1', port, text: `127.0.0.1:${port}` },
    ];
    await expect(startRig(configOf({ listen }))).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: `cannot listen on 127.0.0.1:${port}: the address is already in use`,
      hint: expect.stringContaining('--web.listen-address'),
    });
    await poll('the first address closed', () => !existsSync(socketFile));
    holder.close();
  });

  test('an address of another host is LISTEN_FAILED', async () => {
    const listen = [{ kind: 'tcp' as const, host: '192.0.2.1', port: 0, text: '192.0.2.1:0' }];
    await expect(startRig(configOf({ listen }))).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });

  test('without a host both families are served, and an IPv4 peer is an IPv4 address', async () => {
    const rig = await start(configOf({ listen: [{ kind: 'tcp', host: null, port: 0, text: ':0' }] }));
    for (const host of ['127.0.0.1', '::1']) {
      const client = await dialTcp(rig.port, { host });
      client.socket.write(GET);
      await poll('an answer', () => client.received().includes('200 OK'));
      client.socket.destroy();
    }
    expect(rig.facts.map(({ peer }) => peer)).toEqual(['127.0.0.1', '::1']);
  });

  test('a unix socket left behind by a killed process is taken over, a live one is not', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'promgate-listen-'));
    const path = join(directory, 'gate.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(existsSync(path)).toBe(true);
    const listen = [{ kind: 'unix' as const, path, text: `unix:${path}` }];
    const rig = await start(configOf({ listen }));
    expect(rig.listener.addresses()).toEqual([{ host: `unix:${path}`, port: 0 }]);
    await expect(startRig(configOf({ listen }))).rejects.toMatchObject({ code: 'PORT_TAKEN' });
    rmSync(directory, { recursive: true });
  });
});

test.each(['plain', 'tls'])('a peer on a unix socket is loopback to the rules, over %s', async (kind) => {
  const directory = mkdtempSync(join(tmpdir(), 'promgate-listen-'));
  const path = join(directory, 'gate.sock');
  const tls = kind === 'tls' ? tlsOf([server]) : null;
  const rig = await start(configOf({ listen: [{ kind: 'unix', path, text: `unix:${path}` }], tls }));
  const raw = connect(path);
  const socket = kind === 'tls' ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
  socket.on('error', () => undefined);
  socket.write(GET);
  await once(socket, 'data');
  socket.destroy();
  expect(rig.facts).toMatchObject([{ peer: '127.0.0.1' }]);
  rmSync(directory, { recursive: true });
});

describe('requests', () => {
  test('HTTP/1.1 and HTTP/2 arrive over TLS with target and facts', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    const one = await dialTls(rig.port, { servername: 'localhost' });
    one.socket.write('GET /a?b=c HTTP/1.1\r\nHost: gate\r\n\r\n');
    await poll('an answer', () => one.received().includes('200 OK'));
    const session = connectH2(`https://127.0.0.1:${rig.port}`, { rejectUnauthorized: false });
    const stream = session.request({ ':path': '/d?e' });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(200);
    session.close();
    one.socket.destroy();
    expect(rig.arrivals.map(({ target }) => target)).toEqual([
      { method: 'GET', path: '/a', query: 'b=c' },
      { method: 'GET', path: '/d', query: 'e' },
    ]);
    expect(rig.arrivals.map(({ connection }) => connection.facts)).toMatchObject([
      {
        id: 1,
        peer: '127.0.0.1',
        tls: { alpn: 'http/1.1', servername: 'localhost', certificate: null, protocol: 'TLSv1.3' },
      },
      { id: 2, peer: '127.0.0.1', tls: { alpn: 'h2', servername: null, certificateRequested: false } },
    ]);
    expect(rig.refused).toEqual([]);
  });

  test('with http2 off the client gets HTTP/1.1', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]), http2: false }));
    const client = await dialTls(rig.port, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(client.socket.alpnProtocol).toBe('http/1.1');
    client.socket.destroy();
  });

  test('`Expect: 100-continue` is told to the app, and nobody has answered it before', async () => {
    const rig = await start(configOf());
    rig.answers.handle = () => undefined;
    const client = await dialTcp(rig.port);
    client.socket.write('POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
    await poll('the request', () => rig.arrivals[0]?.expectsContinue === true);
    expect(client.received()).toBe('');
    client.socket.destroy();
  });

  test('an Upgrade header is left alone and the request is answered as it is', async () => {
    const rig = await start(configOf());
    const client = await dialTcp(rig.port);
    client.socket.write('GET /u HTTP/1.1\r\nHost: gate\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await poll('an answer', () => client.received().includes('200 OK'));
    client.socket.destroy();
    expect(rig.arrivals[0]?.fault).toBeNull();
  });

  test.each([
    ['a path with dots', 'GET /../etc HTTP/1.1\r\nHost: gate\r\n\r\n', 'bad_target'],
    ['two Host headers', 'GET / HTTP/1.1\r\nHost: gate\r\nHost: other\r\n\r\n', 'bad_header'],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n', 'bad_header'],
    [
      'gzip, chunked',
      'POST /p HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      'bad_framing',
    ],
  ])('%s arrives as a fault, with nothing left to act on', async (_name, text, reason) => {
    const rig = await start(configOf());
    const client = await dialTcp(rig.port);
    client.socket.write(text);
    await poll('the request', () => rig.arrivals.length === 1);
    client.socket.destroy();
    expect(rig.arrivals[0]?.fault?.reason).toBe(reason);
    expect(rig.arrivals[0]?.target).toEqual({ method: 'GET', path: '/', query: '' });
    expect(rig.requests[0]?.url).toBe('/');
  });

  const headOf = (line: string, more = 'Host: gate\r\n') => `${line} HTTP/1.1\r\n${more}\r\n`;
  test.each([
    ['two slashes', headOf('GET //api/v1/query?query=up'), 'empty segment in //api/v1/query', 'GET', null],
    [
      'absolute form with a password, beyond the cut',
      headOf(`GET http://prom:${'secret'.repeat(20)}@gate/metrics`),
      'not in origin form in http://[redacted]@gate/metrics',
      'GET',
      null,
    ],
    [
      'a password behind two slashes',
      headOf('GET //prom:secret@gate/metrics'),
      'empty segment in //[redacted]@gate/metrics',
      'GET',
      null,
    ],
    [
      'a quote and a backslash',
      headOf('GET /a"\\'),
      'character that does not belong in a path in /a"\\\\',
      'GET',
      null,
    ],
    ['a long one', headOf(`GET //${'a'.repeat(9000)}`), `empty segment in //${'a'.repeat(62)}…`, 'GET', null],
    ['a query alone', headOf('GET /metrics?a=#'), 'character that does not belong in a query', 'GET', '/metrics'],
    ['TRACE', headOf('TRACE /metrics'), 'TRACE is never proxied', 'TRACE', '/metrics'],
    ['no Host', headOf('POST /federate?x=1', ''), 'no Host', 'POST', '/federate'],
    [
      'a body on GET',
      headOf('GET /federate', 'Host: gate\r\nContent-Length: 1\r\n'),
      'a body on GET',
      'GET',
      '/federate',
    ],
    ['no Host and two slashes', headOf('GET //a', ''), 'empty segment in //a', 'GET', null],
  ])('a fault tells what was asked for: %s', async (_name, text, detail, method, path) => {
    const rig = await start(configOf());
    const client = await dialTcp(rig.port);
    client.socket.write(text);
    await poll('the request', () => rig.arrivals.length === 1);
    client.socket.destroy();
    expect(rig.arrivals[0]?.fault).toMatchObject({ detail, asked: { method, path } });
  });

  test('an answer that was never begun is still closed when its client leaves, pipelined ones too', async () => {
    const rig = await start(configOf());
    let closed = 0;
    rig.answers.handle = (_request, response) => {
      response.once('close', () => {
        closed += 1;
      });
    };
    const client = await dialTcp(rig.port);
    client.socket.write(GET.repeat(3));
    await poll('three requests', () => rig.arrivals.length === 3);
    client.socket.destroy();
    await poll('three releases', () => closed === 3);
    expect(rig.listener.connections()).toBe(0);
  });
});
