/** The form of a POST is read whole, bounded and in time, over real sockets. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server, constants } from 'node:http2';
import type { Http2Server } from 'node:http2';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FORM_DEADLINE_MS, judgeFormHeaders, LARGEST_FORM, readForm } from '../../../src/request/enforce/form-body.ts';
import type { FormBody } from '../../../src/request/enforce/form-body.ts';
import { BodyMemory } from '../../../src/request/body-memory.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { poll } from '../../support/poll.ts';

const FORM = 'application/x-www-form-urlencoded';
const HEAD = `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM}\r\n`;

describe('judgeFormHeaders', () => {
  it('takes one media type, in any case and with parameters that mean nothing', () => {
    for (const type of [
      FORM,
      `${FORM}; charset=utf-8`,
      `${FORM};charset="UTF-8"; a=b`,
      'Application/X-WWW-Form-Urlencoded',
    ]) {
      expect(judgeFormHeaders({ 'content-type': type })).toBeNull();
    }
    for (const type of [
      undefined,
      '',
      `${FORM};`,
      `${FORM}; a=b; a=c`,
      `${FORM}; x`,
      `${FORM}x`,
      `${FORM}; a="b`,
      `${FORM}, multipart/form-data`,
      'multipart/form-data; boundary=x',
      'application/json',
      'text/plain',
    ]) {
      const headers = type === undefined ? {} : { 'content-type': type };
      expect(judgeFormHeaders(headers)).toMatchObject({ reason: 'media_type' });
    }
  });

  it('refuses a content coding, even the one that does nothing, and what is announced as too large', () => {
    expect(judgeFormHeaders({ 'content-type': FORM, 'content-encoding': 'identity' })).toMatchObject({
      reason: 'media_type',
    });
    expect(judgeFormHeaders({ 'content-type': FORM, 'content-length': String(LARGEST_FORM) })).toBeNull();
    expect(judgeFormHeaders({ 'content-type': FORM, 'content-length': String(LARGEST_FORM + 1) })).toMatchObject({
      reason: 'body_too_large',
    });
  });
});

describe('a form whose stream has ended', () => {
  it.each([
    ['HTTP/2, reset by its client', { stream: { aborted: true, rstCode: 8, endAfterHeaders: false } }],
    ['HTTP/2, reset behind its own end', { stream: { aborted: false, rstCode: 8, endAfterHeaders: false } }],
    ['HTTP/1.1, cut', { complete: false }],
  ])('is not taken for whole: %s', async (_what, how) => {
    const headers = { 'content-type': FORM, 'content-length': '80' };
    const request = Object.assign(new PassThrough(), { headers, ...how });
    const body = new Promise<FormBody>((resolve) => {
      readForm(
        { request: request as never, response: {} as never, expectsContinue: false, party: '= a' },
        { clock: createFakeClock(), bodies: new BodyMemory() },
        resolve,
      );
    });
    request.end('query=up');
    expect(await body).toMatchObject({ reason: 'bad_framing' });
  });
});

describe('readForm', () => {
  const clock = createFakeClock();
  let servers: (Server | Http2Server)[] = [];
  let sockets: Socket[] = [];
  let bodies: FormBody[] = [];
  let requests = 0;
  let port = 0;
  let http2Port = 0;

  beforeEach(async () => {
    bodies = [];
    requests = 0;
    const handle = (request: never, response: never): void => {
      requests += 1;
      const { headers } = request as { headers: Record<string, string> };
      const expectsContinue = headers['expect'] === '100-continue';
      readForm({ request, response, expectsContinue, party: '= a' }, { clock, bodies: new BodyMemory() }, (body) => {
        bodies.push(body);
        (response as { end(text: string): void }).end('done');
      });
    };
    const http1 = createServer(handle as never).on('checkContinue', handle as never);
    const http2 = createHttp2Server(handle as never);
    servers = [http1, http2];
    for (const server of servers) {
      server.on('connection', (socket: Socket) => sockets.push(socket));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    port = (http1.address() as AddressInfo).port;
    http2Port = (http2.address() as AddressInfo).port;
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  });

  const send = (text: string): Socket & { text: string } => {
    const socket = Object.assign(connect(port, '127.0.0.1'), { text: '' });
    socket.on('error', () => undefined).on('data', (chunk) => (socket.text += chunk.toString('latin1')));
    sockets.push(socket);
    socket.write(text, 'latin1');
    return socket;
  };
  const outcome = () => poll('a form', () => Promise.resolve(bodies[0] ?? false));

  it('reads a form of any framing', async () => {
    send(`${HEAD}Content-Length: 8\r\n\r\nquery=up`);
    expect(await outcome()).toEqual({ kind: 'read', bytes: Buffer.from('query=up') });
    bodies = [];
    send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nque\r\n5\r\nry=up\r\n0\r\n\r\n`);
    expect(await outcome()).toEqual({ kind: 'read', bytes: Buffer.from('query=up') });
  });

  it('takes a POST without a body for an empty form', async () => {
    send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    expect(await outcome()).toEqual({ kind: 'read', bytes: Buffer.alloc(0) });
  });

  it('says 100 Continue only where the form is wanted', async () => {
    const wanted = send(`${HEAD}Content-Length: 8\r\nExpect: 100-continue\r\n\r\n`);
    await poll('100 Continue', () => Promise.resolve(wanted.text.startsWith('HTTP/1.1 100 ')));
    wanted.write('query=up');
    expect(await outcome()).toMatchObject({ kind: 'read' });
    bodies = [];
    const unwanted = send(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n',
    );
    expect(await outcome()).toMatchObject({ reason: 'media_type' });
    await poll('an answer', () => Promise.resolve(unwanted.text !== ''));
    expect(unwanted.text).not.toContain('100 Continue');
  });

  it('refuses a form that grows beyond 64 KiB in chunks, and takes one of exactly 64 KiB', async () => {
    send(`${HEAD}Content-Length: ${String(LARGEST_FORM)}\r\n\r\n${'a'.repeat(LARGEST_FORM)}`);
    expect(await outcome()).toMatchObject({ kind: 'read' });
    bodies = [];
    const chunk = `1000\r\n${'a'.repeat(0x1000)}\r\n`;
    send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(17)}`);
    expect(await outcome()).toMatchObject({ reason: 'body_too_large' });
  });

  it('gives up on a form that does not come to its end in time', async () => {
    const before = requests;
    const slow = send(`${HEAD}Content-Length: 8\r\n\r\nque`);
    await poll('the request', () => Promise.resolve(requests > before));
    clock.advance(FORM_DEADLINE_MS - 1);
    slow.write('r');
    expect(bodies).toEqual([]);
    clock.advance(1);
    expect(await outcome()).toMatchObject({ reason: 'header_timeout' });
  });

  it('takes nothing of a form whose client has left within it', async () => {
    const before = requests;
    const socket = send(`${HEAD}Content-Length: 80\r\n\r\nquery=up`);
    await poll('the request', () => Promise.resolve(requests > before));
    socket.destroy();
    expect(await outcome()).toMatchObject({ reason: 'bad_framing' });
  });

  it('takes nothing of an HTTP/2 form that ends with a reset', async () => {
    const session = connectHttp2(`http://127.0.0.1:${String(http2Port)}`);
    session.on('error', () => undefined);
    try {
      const before = requests;
      // Without waitForTrailers Node's client ends the stream before it resets it.
      const stream = session
        .request({ ':method': 'POST', 'content-type': FORM }, { waitForTrailers: true })
        .on('error', () => undefined);
      stream.write('query=up');
      await poll('the request', () => Promise.resolve(requests > before));
      stream.close(constants.NGHTTP2_CANCEL);
      expect(await outcome()).toMatchObject({ reason: 'bad_framing' });
      bodies = [];
      session.request({ ':method': 'POST', 'content-type': FORM }).end('query=up');
      expect(await outcome()).toEqual({ kind: 'read', bytes: Buffer.from('query=up') });
    } finally {
      session.destroy();
    }
  });
});
