import { createServer, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { judgeFraming } from '../../src/request/framing.ts';
import { expectLinear } from '../support/expect-linear.ts';

function judge(version: string, method: string, ...rawHeaders: string[]) {
  return judgeFraming({ httpVersion: version, method, rawHeaders });
}

const HOST = ['Host', 'gate.example:9095'];
const H2 = [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'gate.example:9095'];

describe('a request that is sound', () => {
  it.each([
    ['GET on HTTP/1.1', '1.1', 'GET', HOST],
    ['GET on HTTP/1.0 without Host', '1.0', 'GET', []],
    ['GET with Content-Length: 0', '1.1', 'GET', [...HOST, 'Content-Length', '0']],
    ['POST with Content-Length', '1.1', 'POST', [...HOST, 'content-length', '12', 'Content-Type', 'text/plain']],
    ['POST in chunks', '1.1', 'POST', [...HOST, 'Transfer-Encoding', 'Chunked']],
    ['POST on HTTP/1.0', '1.0', 'POST', ['Content-Length', '3']],
    ['GET on HTTP/2', '2.0', 'GET', H2],
    ['GET on HTTP/2 with the same host in another case', '2.0', 'GET', [...H2, 'host', 'GATE.example:9095']],
    ['GET on HTTP/2 with host alone', '2.0', 'GET', [':method', 'GET', ':path', '/', 'host', 'gate.example']],
    ['an IPv6 host', '1.1', 'GET', ['host', '[2001:db8::1]:9095']],
    [
      'many headers that may repeat',
      '1.1',
      'GET',
      [...HOST, 'Cookie', 'a=1', 'Cookie', 'b=2', 'X-Forwarded-For', 'a', 'X-Forwarded-For', 'b'],
    ],
    ['latin1 and tabs in values', '1.1', 'GET', [...HOST, 'User-Agent', 'caf\u00e9\t1']],
    [
      'names as long as the watched ones',
      '1.1',
      'GET',
      [...HOST, 'Date', 'x', 'Date', 'y', 'Accept-Patch', '1', 'Accept-Patch', '2'],
    ],
  ])('%s', (_what, version, method, headers) => {
    expect(judge(version, method, ...headers)).toBeNull();
  });
});

describe('an ambiguous header', () => {
  it.each([
    ['two Host headers', '1.1', [...HOST, 'hOST', 'gate.example:9095']],
    ['two Host headers on HTTP/1.0', '1.0', [...HOST, ...HOST]],
    ['two Authorization headers', '1.1', [...HOST, 'Authorization', 'Basic YTpi', 'AUTHORIZATION', 'Basic YTpi']],
    ['two Content-Type headers', '1.1', [...HOST, 'Content-Type', 'a/b', 'content-type', 'a/b']],
    ['no Host on HTTP/1.1', '1.1', ['Accept', '*/*']],
    ['neither host nor :authority on HTTP/2', '2.0', [':method', 'GET', ':path', '/']],
    ['an h2 host unlike :authority', '2.0', [...H2, 'host', 'evil.example']],
    ['an h2 host without the port of :authority', '2.0', [...H2, 'host', 'gate.example']],
    ['two :authority', '2.0', [...H2, ':authority', 'gate.example:9095']],
    ['a Host with a path', '1.1', ['Host', 'gate.example/x']],
    ['a Host with a user', '1.1', ['Host', 'a@gate.example']],
    ['a Host list', '1.1', ['Host', 'gate.example, evil.example']],
    ['a Host with %', '1.1', ['Host', 'gate%2eexample']],
    ['a line feed in a value', '2.0', [...H2, 'x-a', 'a\nb: c']],
    ['a carriage return in a value', '1.1', [...HOST, 'X-A', 'a\rb']],
    ['a NUL in a value', '1.1', [...HOST, 'X-A', 'a\0']],
    ['a DEL in a value', '1.1', [...HOST, 'X-A', '\x7f']],
    ['a euro sign in a value', '2.0', [...H2, 'x-a', '€']],
  ])('%s is a bad_header', (_what, version, headers) => {
    expect(judge(version, 'GET', ...headers)?.reason).toBe('bad_header');
  });
});

describe('an uncertain end of the body', () => {
  it.each([
    ['gzip before chunked', '1.1', 'POST', [...HOST, 'Transfer-Encoding', 'gzip, chunked']],
    ['chunked twice', '1.1', 'POST', [...HOST, 'Transfer-Encoding', 'chunked, chunked']],
    [
      'two Transfer-Encoding headers',
      '1.1',
      'POST',
      [...HOST, 'Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'],
    ],
    ['identity', '1.1', 'POST', [...HOST, 'Transfer-Encoding', 'identity']],
    ['an empty Transfer-Encoding', '1.1', 'POST', [...HOST, 'Transfer-Encoding', '']],
    ['chunked with a vertical tab', '1.1', 'POST', [...HOST, 'Transfer-Encoding', 'chunked\u00a0']],
    ['chunked on HTTP/1.0', '1.0', 'POST', [...HOST, 'Transfer-Encoding', 'chunked']],
    ['chunked on HTTP/2', '2.0', 'POST', [...H2, 'transfer-encoding', 'chunked']],
    ['Content-Length beside chunked', '1.1', 'POST', [...HOST, 'Content-Length', '3', 'Transfer-Encoding', 'chunked']],
    ['two Content-Length headers', '1.1', 'POST', [...HOST, 'Content-Length', '3', 'Content-Length', '3']],
    ['a body on GET', '1.1', 'GET', [...HOST, 'Content-Length', '3']],
    ['a chunked body on GET', '1.1', 'GET', [...HOST, 'Transfer-Encoding', 'chunked']],
    ['a body on HEAD', '1.1', 'HEAD', [...HOST, 'Content-Length', '1']],
    ['a body on OPTIONS', '2.0', 'OPTIONS', [...H2, 'content-length', '1']],
    ['a length that is not written as 0', '1.1', 'GET', [...HOST, 'Content-Length', '+0']],
    ['HTTP/2.0 in an HTTP/1 request line', '2.0', 'GET', HOST],
    ['HTTP/0.9', '0.9', 'GET', HOST],
  ])('%s is bad_framing', (_what, version, method, headers) => {
    expect(judge(version, method, ...headers)?.reason).toBe('bad_framing');
  });

  it('a stream that goes on after the headers of a GET is bad_framing, and not of a POST', () => {
    const request = { httpVersion: '2.0', rawHeaders: H2, bodyFollows: true };
    expect(judgeFraming({ ...request, method: 'GET' })?.reason).toBe('bad_framing');
    expect(judgeFraming({ ...request, method: 'POST' })).toBeNull();
  });
});

describe("what Node's own parsers hand over", () => {
  let http: Server | null = null;
  let http2: Http2Server | null = null;
  afterEach(() => {
    http?.close();
    http?.closeAllConnections();
    http2?.close();
    http = http2 = null;
  });

  /** Sends bytes to a real HTTP/1 server and gives what `judgeFraming` says of them, or the parser's own status. */
  async function overHttp1(bytes: string): Promise<string> {
    const server = createServer({ requireHostHeader: false }, (request, response) => {
      const { httpVersion, method = '', rawHeaders } = request;
      const fault = judgeFraming({ httpVersion, method, rawHeaders });
      response.setHeader('Connection', 'close');
      response.end(`verdict:${fault === null ? 'sound' : fault.reason}`);
    });
    http = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(bytes);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    return /verdict:(\w+)/.exec(answer)?.[1] ?? answer.slice(9, 12);
  }

  it.each([
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'sound'],
    ['GET / HTTP/1.1\r\n\r\n', 'bad_header'],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 'bad_header'],
    ['GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n', 'bad_header'],
    ['POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'bad_framing'],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 'bad_framing'],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '400'],
    ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx', 'bad_framing'],
    ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'bad_framing'],
  ])('HTTP/1: %j is %s', async (bytes, verdict) => {
    expect(await overHttp1(bytes)).toBe(verdict);
  });

  async function overHttp2(headers: Record<string, string>, endStream = true): Promise<string> {
    const server = createHttp2Server((request, response) => {
      const { endAfterHeaders } = request.stream as unknown as { endAfterHeaders: boolean };
      const fault = judgeFraming({
        httpVersion: request.httpVersion,
        method: request.method,
        rawHeaders: request.rawHeaders,
        bodyFollows: !endAfterHeaders,
      });
      response.end(fault === null ? 'sound' : fault.reason);
    });
    http2 = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const session = connectHttp2(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
    const stream = session.request({ ':path': '/', ...headers }, { endStream });
    if (!endStream) stream.end('x');
    let answer = '';
    for await (const chunk of stream) answer += String(chunk);
    session.close();
    return answer;
  }

  it.each([
    ['a plain GET', {}, true, 'sound'],
    ['a host unlike :authority', { ':authority': 'a', host: 'b' }, true, 'bad_header'],
    ['a GET with a body', {}, false, 'bad_framing'],
    ['a POST with a body', { ':method': 'POST' }, false, 'sound'],
  ])('HTTP/2: %s', async (_what, headers, endStream, verdict) => {
    expect(await overHttp2(headers as Record<string, string>, endStream)).toBe(verdict);
  });
});

it('costs in proportion to the headers', () => {
  expectLinear({ small: 20, large: 1_280 }, (size) => {
    const fields = Array.from({ length: size }, (_, n) => [`X-Header-${String(n)}`, 'value '.repeat(8)]).flat();
    const request = { httpVersion: '1.1', method: 'GET', rawHeaders: [...HOST, ...fields] };
    return () => {
      judgeFraming(request);
    };
  });
});
