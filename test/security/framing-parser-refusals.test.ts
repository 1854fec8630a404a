/**
 * Attack: bytes that two HTTP parsers read in two ways (request smuggling). Each is refused by the parser itself, which
 * asks no hook: a log line, a counter and the configured headers must come from the listener.
 */
import { connect as connectH2 } from 'node:http2';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { configOf, dialTcp, RAW_REFUSAL, tlsOf, type Rig } from '../listen/harness.ts';
import { useRigs } from '../listen/rigs.ts';
import { poll } from '../support/poll.ts';
import type { Config } from '../../src/config/config.ts';

const { server, start: startWith } = useRigs();
let rig: Rig;

async function start(changes: Partial<Config> = {}): Promise<void> {
  rig = await startWith(configOf(changes));
}

const HEAD = 'POST / HTTP/1.1\r\nHost: gate\r\n';

test.each([
  [
    'Content-Length with Transfer-Encoding',
    `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'bad_http',
  ],
  ['two equal Content-Length', `${HEAD}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, 'bad_http'],
  ['two different Content-Length', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 'bad_http'],
  ['a signed Content-Length', `${HEAD}Content-Length: +1\r\n\r\na`, 'bad_http'],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: gate\r\nX: a\r\n b\r\n\r\n', 'bad_http'],
  ['a bare LF after the request line', 'GET / HTTP/1.1\nHost: gate\r\n\r\n', 'bad_http'],
  ['a bare LF after a header', 'GET / HTTP/1.1\r\nHost: gate\nX: a\r\n\r\n', 'bad_http'],
  ['a bare CR', 'GET / HTTP/1.1\r\nHost: gate\rX: a\r\n\r\n', 'bad_http'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost : gate\r\n\r\n', 'bad_http'],
  ['NUL in a value', 'GET / HTTP/1.1\r\nHost: ga\0te\r\n\r\n', 'bad_http'],
  ['NUL in a name', 'GET / HTTP/1.1\r\nHo\0st: gate\r\n\r\n', 'bad_http'],
  ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'bad_http'],
  ['CONNECT', 'CONNECT gate:443 HTTP/1.1\r\nHost: gate\r\n\r\n', 'bad_http'],
  ['an unknown method', 'BREW / HTTP/1.1\r\nHost: gate\r\n\r\n', 'bad_http'],
  ['64 KiB of headers', `GET / HTTP/1.1\r\nHost: gate\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 'headers_too_large'],
  ['64 KiB of target', `GET /?${'a'.repeat(70_000)} HTTP/1.1\r\nHost: gate\r\n\r\n`, 'headers_too_large'],
])('%s is refused without reaching the app, with log, counter and headers', async (_name, text, reason) => {
  await start();
  const client = await dialTcp(rig.port);
  client.socket.write(text);
  await client.closed;
  expect(rig.requests).toEqual([]);
  expect(rig.refused).toEqual([reason]);
  expect(rig.lines).toMatchObject([{ level: 'info', fields: { reason, address: '127.0.0.1', connection: 1 } }]);
  expect(client.received()).toBe(RAW_REFUSAL);
});

test.each([
  ['a chunk size that is no number', 'zz\r\n'],
  ['a chunk size with a sign', '+1\r\na\r\n0\r\n\r\n'],
  ['a chunk that is longer than it says', '1\r\nab\r\n0\r\n\r\n'],
  ['endless chunk extensions', `1;${'a'.repeat(20_000)}\r\na\r\n0\r\n\r\n`],
])('%s ends a request whose answer has not begun', async (_name, body) => {
  await start();
  let cut = 0;
  rig.answers.handle = (request, response) => {
    request.resume();
    response.once('close', () => {
      cut += 1;
    });
  };
  const client = await dialTcp(rig.port);
  client.socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${body}`);
  await client.closed;
  expect(rig.refused).toEqual(['bad_http']);
  expect(client.received()).toBe(RAW_REFUSAL);
  await poll('its answer released', () => cut === 1);
});

test('garbage behind a request whose answer has begun cuts that answer, and nothing is written into it', async () => {
  await start();
  rig.answers.handle = (_request, response) => {
    (response as NodeJS.WritableStream).write('half');
  };
  const client = await dialTcp(rig.port);
  client.socket.write('GET / HTTP/1.1\r\nHost: gate\r\n\r\n');
  await poll('half an answer', () => client.received().includes('half'));
  client.socket.write('garbage\r\n\r\n');
  await client.closed;
  expect(client.received()).not.toContain('400');
  expect(client.received().endsWith('4\r\nhalf\r\n')).toBe(true);
  expect(rig.refused).toEqual(['bad_http']);
});

test('garbage behind two unanswered requests is not the answer to the first', async () => {
  await start();
  rig.answers.handle = () => undefined;
  const client = await dialTcp(rig.port);
  client.socket.write(`${'GET / HTTP/1.1\r\nHost: gate\r\n\r\n'.repeat(2)}garbage\r\n\r\n`);
  await client.closed;
  expect(client.received()).toBe('');
  expect(rig.refused).toEqual(['bad_http']);
});

test('requests behind the refused one in the same chunk are not handled', async () => {
  await start();
  const client = await dialTcp(rig.port);
  client.socket.write(
    `CONNECT gate:443 HTTP/1.1\r\nHost: gate\r\n\r\n${'GET / HTTP/1.1\r\nHost: gate\r\n\r\n'.repeat(3)}`,
  );
  await client.closed;
  expect(rig.requests).toEqual([]);
  expect(client.received()).toBe(RAW_REFUSAL);
});

test('an h2c upgrade is not taken up: the request is answered on HTTP/1.1', async () => {
  await start();
  const client = await dialTcp(rig.port);
  const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
  client.socket.write(`GET / HTTP/1.1\r\nHost: gate\r\n${upgrade}\r\n`);
  await poll('an answer', () => client.received().includes('HTTP/1.1 200 OK'));
  expect(client.received()).not.toContain('101');
  client.socket.destroy();
});

test('a 431 is read by a client that was still sending', async () => {
  await start();
  const client = await dialTcp(rig.port);
  client.socket.write(`GET / HTTP/1.1\r\nHost: gate\r\nX: ${'a'.repeat(2 * 1024 * 1024)}\r\n\r\n`);
  await client.closed;
  expect(client.received()).toBe(RAW_REFUSAL);
});

describe('HTTP/2', () => {
  const ask = async (headers: Record<string, string>): Promise<void> => {
    await start({ tls: tlsOf([server]) });
    const session = connectH2(`https://127.0.0.1:${rig.port}`, {
      rejectUnauthorized: false,
      maxSendHeaderBlockLength: 1_000_000,
    }).on('error', () => undefined);
    const stream = session.request(headers);
    stream.end();
    await once(stream, 'response');
    session.destroy();
  };

  test.each([
    ['CONNECT', { ':method': 'CONNECT', ':authority': 'gate:443' }, 'bad_http'],
    ['an unknown method', { ':method': 'BREW', ':path': '/' }, 'bad_http'],
    [
      'more than 64 KiB of headers',
      { ':path': '/', 'x-a': 'a'.repeat(40_000), 'x-b': 'b'.repeat(40_000) },
      'headers_too_large',
    ],
    ['a path with dots', { ':path': '/a/../b' }, 'bad_target'],
    ['a host unlike :authority', { ':path': '/', ':authority': 'gate', host: 'other' }, 'bad_header'],
  ])('%s arrives as a fault with nothing left to act on', async (_name, headers, reason) => {
    await ask(headers);
    expect(rig.arrivals).toHaveLength(1);
    expect(rig.arrivals[0]?.fault?.reason).toBe(reason);
    expect(rig.arrivals[0]?.fault?.asked?.method).toBe(':method' in headers ? headers[':method'] : 'GET');
    expect(rig.requests[0]).toMatchObject({ method: 'GET', url: '/' });
  });

  test('60 KiB of headers are welcome', async () => {
    await ask({ ':path': '/', 'x-a': 'a'.repeat(30_000), 'x-b': 'b'.repeat(30_000) });
    expect(rig.arrivals[0]?.fault).toBeNull();
  });
});
