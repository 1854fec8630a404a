/**
 * Attack: HTTP/2 frames that cost the server more than the client: rapid reset (CVE-2023-44487), PING and SETTINGS
 * floods, a session without a preface, headers that never end, windows that never open. A few hundred frames at most.
 */
import { connect as connectH2 } from 'node:http2';
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  configOf,
  dialTls,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  GET_HEADERS,
  PREFACE,
  tlsOf,
  type Client,
  type Rig,
} from '../listen/harness.ts';
import { useRigs } from '../listen/rigs.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';

const { server, start } = useRigs();
let clock: FakeClock;
let rig: Rig;

async function dialH2(): Promise<Client<TLSSocket>> {
  clock = createFakeClock();
  rig = await start(configOf({ tls: tlsOf([server]) }), clock);
  return dialTls(rig.port, { ALPNProtocols: ['h2'] });
}

const EMPTY_SETTINGS = frame(FRAME.settings, 0, 0);
const request = (stream: number): Buffer => frame(FRAME.headers, END_HEADERS | END_STREAM, stream, GET_HEADERS);
const reset = (stream: number, code = 8): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(FRAME.reset, 0, stream, payload);
};

/** Each SETTINGS of the gate's is to be acknowledged: its first ones, and those when the client has authenticated. */
const ACKNOWLEDGED = frame(FRAME.settings, 1, 0);

async function opened(): Promise<Client<TLSSocket>> {
  const client = await dialH2();
  client.socket.write(Buffer.concat([PREFACE, EMPTY_SETTINGS]));
  await poll('the settings of the gate', () => client.received().length > 0);
  return client;
}

describe('floods', () => {
  test.each([
    ['in one chunk', 300],
    ['one by one', 1],
  ])('rapid reset ends the connection, %s', async (_name, perWrite) => {
    const client = await opened();
    rig.answers.handle = () => undefined;
    const frames = Array.from({ length: 150 }, (_, index) => [request(2 * index + 1), reset(2 * index + 1)]).flat();
    for (let at = 0; at < frames.length && !client.isClosed(); at += perWrite) {
      client.socket.write(Buffer.concat(frames.slice(at, at + perWrite)));
      if (perWrite === 1) await new Promise(setImmediate);
    }
    await client.closed;
    expect(rig.refused).toEqual(['http2_flood']);
    expect(rig.requests.length).toBeLessThanOrEqual(101);
  });

  test('a reset without an error code is a reset', async () => {
    const client = await opened();
    rig.answers.handle = () => undefined;
    const frames = Array.from({ length: 110 }, (_, index) => [request(2 * index + 1), reset(2 * index + 1, 0)]).flat();
    client.socket.write(Buffer.concat(frames));
    await client.closed;
    expect(rig.refused).toEqual(['http2_flood']);
  });

  test.each([
    ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', EMPTY_SETTINGS],
  ])('a flood of %s ends the connection', async (_name, one) => {
    const client = await opened();
    for (let count = 0; count < 300 && !client.isClosed(); count++) {
      client.socket.write(one);
      if (count % 25 === 0) await new Promise(setImmediate);
    }
    await client.closed;
    expect(rig.refused).toEqual(['http2_flood']);
  });

  test('a hundred in ten seconds, again and again, are borne', async () => {
    const client = await opened();
    const ping = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
    // The session's own SETTINGS count as one.
    for (let round = 0; round < 3; round++) {
      const before = client.received().length;
      client.socket.write(Buffer.concat(Array.from({ length: 99 }, () => ping)));
      await poll('all PINGs answered', () => client.received().length - before >= 99 * 17);
      clock.advance(9_999);
      client.socket.write(request(2 * round + 1));
      await poll('a request answered', () => rig.requests.length === round + 1);
      clock.advance(1);
    }
    expect(rig.refused).toEqual([]);
  });
});

describe('the headers of unanswered requests', () => {
  /** `x-long` with so many bytes, not indexed, in the frames that it takes. */
  const longRequest = (stream: number, bytes: number): Buffer => {
    const length = Buffer.from([0x7f, 0, 0, 0]);
    const rest = bytes - 127;
    length[1] = (rest & 127) | 128;
    length[2] = ((rest >> 7) & 127) | 128;
    length[3] = rest >> 14;
    const block = Buffer.concat([
      GET_HEADERS,
      Buffer.from([0, 6]),
      Buffer.from('x-long'),
      length,
      Buffer.alloc(bytes, 97),
    ]);
    const parts: Buffer[] = [];
    for (let at = 0; at < block.length; at += 16_000) {
      const isLast = at + 16_000 >= block.length;
      const flags = (isLast ? END_HEADERS : 0) | (at === 0 ? END_STREAM : 0);
      parts.push(frame(at === 0 ? FRAME.headers : FRAME.continuation, flags, stream, block.subarray(at, at + 16_000)));
    }
    return Buffer.concat(parts);
  };

  test('are bounded over a connection', async () => {
    const client = await opened();
    rig.answers.handle = (_request, _response, { connection }) => {
      connection.authenticated = true;
    };
    client.socket.write(longRequest(1, 60_000));
    await poll('a request', () => rig.requests.length === 1);
    client.socket.write(Buffer.concat([ACKNOWLEDGED, ACKNOWLEDGED]));
    for (let stream = 3; stream < 60 && !client.isClosed(); stream += 2) {
      client.socket.write(longRequest(stream, 60_000));
      await new Promise(setImmediate);
    }
    await client.closed;
    expect(rig.refused).toEqual(['headers_too_large']);
    expect(rig.requests.length).toBeLessThanOrEqual(17);
  });
});

describe('after an error of the connection', () => {
  test.each([
    ['DATA on stream 0', frame(FRAME.data, 0, 0, Buffer.from('x'))],
    ['SETTINGS of a wrong length', frame(FRAME.settings, 0, 0, Buffer.from('xxx'))],
    ['CONTINUATION alone', frame(FRAME.continuation, END_HEADERS, 3, GET_HEADERS)],
    ['broken HPACK', frame(FRAME.headers, END_HEADERS | END_STREAM, 3, Buffer.alloc(5, 255))],
    ['a frame that is too large', frame(FRAME.data, 0, 1, Buffer.alloc(20_000))],
    ['PING of a wrong length', frame(FRAME.ping, 0, 0, Buffer.alloc(5))],
  ])('no answer is held for a client that has left: %s', async (_name, bytes) => {
    const client = await opened();
    let isOver = false;
    rig.answers.handle = (_request, response, { connection }) => {
      connection.authenticated = true;
      response.once('close', () => {
        isOver = true;
      });
    };
    client.socket.write(request(1));
    await poll('the request', () => rig.requests.length === 1);
    client.socket.write(bytes);
    await poll('GOAWAY', () => client.received().includes('\x07\x00\x00\x00\x00\x00') || client.isClosed());
    client.socket.destroy();
    await poll('the answer ended', () => {
      clock.advance(1_000);
      return isOver;
    });
    await poll('the place given back', () => rig.listener.connections() === 0);
    expect(clock.monotonic()).toBeLessThanOrEqual(120_000);
  });

  test('a quiet answer of a client that reads is not ended', async () => {
    const client = await opened();
    rig.answers.handle = (_request, _response, { connection }) => {
      connection.authenticated = true;
    };
    client.socket.write(request(1));
    await poll('the request', () => rig.requests.length === 1);
    for (let second = 0; second < 300; second++) {
      clock.advance(1_000);
      await new Promise(setImmediate);
    }
    expect(client.isClosed()).toBe(false);
    expect(rig.refused).toEqual([]);
  });
});

describe('slowness', () => {
  test('a session without a preface ends after five seconds', async () => {
    const client = await dialH2();
    client.socket.write(PREFACE.subarray(0, 10));
    await poll('accepted', () => rig.facts.length === 1);
    clock.advance(4_000);
    expect(client.isClosed()).toBe(false);
    clock.advance(1_000);
    await client.closed;
    expect(rig.refused).toEqual(['http2_no_preface']);
  });

  test('HTTP/1.1 on a connection that chose h2 is cut, logged and counted', async () => {
    const client = await dialH2();
    client.socket.write('GET / HTTP/1.1\r\nHost: gate\r\n\r\n');
    await client.closed;
    expect(rig.refused).toEqual(['bad_http']);
    expect(rig.requests).toEqual([]);
  });

  test('dribbled headers and PINGs are no request: a stranger is idle', async () => {
    const client = await opened();
    const block = frame(FRAME.headers, END_STREAM, 1, GET_HEADERS);
    for (const byte of block.subarray(0, 12)) {
      client.socket.write(Buffer.from([byte]));
      clock.advance(500);
      await new Promise(setImmediate);
    }
    clock.advance(4_000);
    await client.closed;
    expect(rig.refused).toEqual(['idle_timeout']);
    expect(rig.requests).toEqual([]);
  });

  test('an answer behind a window that never opens is cut', async () => {
    const client = await dialH2();
    const noWindow = Buffer.alloc(6);
    noWindow.writeUInt16BE(4);
    let isOver = false;
    rig.answers.handle = (_request, response) => {
      response.once('close', () => {
        isOver = true;
      });
      response.end('refused');
    };
    client.socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, noWindow), request(1)]));
    await poll('the request', () => rig.requests.length === 1);
    clock.advance(29_000);
    expect(isOver).toBe(false);
    clock.advance(3_000);
    await poll('the answer cut', () => isOver);
    await client.closed;
    expect(rig.refused).toEqual(['send_timeout']);
  });

  test('one stuck answer is cut alone when the client reads others', async () => {
    const client = await dialH2();
    const noWindow = Buffer.alloc(6);
    noWindow.writeUInt16BE(4);
    let over = 0;
    rig.answers.handle = (request_, response) => {
      response.once('close', () => {
        over += 1;
      });
      if (rig.requests.length === 1) response.end('stuck');
      else request_.resume();
    };
    client.socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, noWindow), request(1), request(3)]));
    await poll('two requests', () => rig.requests.length === 2);
    clock.advance(32_000);
    await poll('one answer cut', () => over === 1);
    expect(client.isClosed()).toBe(false);
    expect(rig.refused).toEqual(['send_timeout']);
  });

  test('a request body that takes more than five minutes loses its stream', async () => {
    const client = await opened();
    let isOver = false;
    rig.answers.handle = (_request, response) => {
      response.once('close', () => {
        isOver = true;
      });
    };
    client.socket.write(
      frame(FRAME.headers, END_HEADERS, 1, Buffer.concat([Buffer.from([0x83]), GET_HEADERS.subarray(1)])),
    );
    await poll('the request', () => rig.requests.length === 1);
    clock.advance(299_000);
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    clock.advance(1_000);
    await poll('the stream cut', () => isOver);
  });
});

test('a stranger has eight streams at a time, who has authenticated thirty-two', async () => {
  const client = await opened();
  const refused = (stream: number): string => reset(stream, 7).toString('latin1');
  rig.answers.handle = () => undefined;
  const ping = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
  client.socket.write(Buffer.concat(Array.from({ length: 9 }, (_, index) => request(2 * index + 1))));
  await poll('8 requests', () => rig.requests.length === 8);
  client.socket.write(ping);
  await poll('REFUSED_STREAM', () => client.received().includes(refused(17)));
  expect(rig.requests).toHaveLength(8);
  const [arrival] = rig.arrivals;
  if (arrival === undefined) throw new Error('no request came');
  arrival.connection.authenticated = true;
  const frames = client.received().length;
  await poll('new SETTINGS', () => client.received().slice(frames).includes('\x00\x00\x06\x04\x00'));
  client.socket.write(Buffer.concat([ACKNOWLEDGED, ACKNOWLEDGED]));
  client.socket.write(Buffer.concat(Array.from({ length: 25 }, (_, index) => request(2 * index + 19))));
  await client.closed;
  expect(rig.requests).toHaveLength(32);
  expect(rig.refused.filter((reason) => reason !== 'bad_http')).toEqual([]);
});

test('requests of an honest client are answered on one session', async () => {
  clock = createFakeClock();
  rig = await start(configOf({ tls: tlsOf([server]) }), clock);
  rig.answers.handle = (_request, response, { connection }) => {
    connection.authenticated = true;
    response.end('ok');
  };
  const session = connectH2(`https://127.0.0.1:${rig.port}`, { rejectUnauthorized: false });
  for (let count = 0; count < 150; count++) {
    const stream = session.request({ ':path': '/' });
    stream.resume();
    await once(stream, 'close');
  }
  session.close();
  expect(rig.refused).toEqual([]);
  expect(rig.facts).toHaveLength(1);
});
