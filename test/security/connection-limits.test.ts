/** Attack: take every socket, stall every handshake, dribble headers, or ask 20 000 things at once, before any login. */
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { configOf, dialTcp, dialTls, GET, LIMITS, RAW_REFUSAL, tlsOf } from '../listen/harness.ts';
import { useRigs } from '../listen/rigs.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { arrivalOf } from '../../src/request/arrival.ts';
import { poll } from '../support/poll.ts';

const { server, start } = useRigs();

describe('addresses', () => {
  test('a denied address is cut before TLS: not one byte of a handshake comes back', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    rig.answers.mayConnect = (address) => (address === '127.0.0.2' ? 'address_denied' : null);
    const denied = await dialTcp(rig.port, { localAddress: '127.0.0.2' });
    await denied.closed;
    expect(denied.received()).toBe('');
    expect(rig.refused).toEqual(['address_denied']);
    expect(rig.lines).toMatchObject([{ level: 'info', fields: { reason: 'address_denied', address: '127.0.0.2' } }]);
    expect(rig.live()).toBe(0);
    const allowed = await dialTls(rig.port);
    expect(allowed.socket.authorized).toBe(false);
    expect(allowed.isClosed()).toBe(false);
    allowed.socket.destroy();
  });

  test('an address that was denied during its handshake does not come through', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    let asked = 0;
    rig.answers.mayConnect = () => (++asked === 1 ? null : 'address_denied');
    const client = await dialTls(rig.port);
    await client.closed;
    expect(rig.refused).toEqual(['address_denied']);
    expect(rig.facts).toEqual([]);
  });

  test('one address holds no more than its connections, others still come in, and places are given back', async () => {
    const rig = await start(configOf({ limits: { ...LIMITS, connectionsPerAddress: 2 } }));
    const first = await dialTcp(rig.port);
    const second = await dialTcp(rig.port);
    const third = await dialTcp(rig.port);
    await first.closed;
    expect(rig.refused).toEqual(['too_many_connections_from_address']);
    expect(rig.listener.connections()).toBe(2);
    const other = await dialTcp(rig.port, { localAddress: '127.0.0.2' });
    other.socket.write(GET);
    await poll('the other answered', () => other.received().includes('200 OK'));
    second.socket.destroy();
    await poll('a place given back', () => rig.listener.connections() === 2);
    expect(third.isClosed()).toBe(false);
    const again = await dialTcp(rig.port);
    again.socket.write(GET);
    await poll('an answer', () => again.received().includes('200 OK'));
  });

  test('the total is bounded, handshakes included', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]), limits: { ...LIMITS, connections: 2 } }));
    const first = await dialTcp(rig.port);
    await dialTcp(rig.port, { localAddress: '127.0.0.2' });
    await poll('two accepted', () => rig.listener.connections() === 2);
    const third = await dialTcp(rig.port, { localAddress: '127.0.0.3' });
    await first.closed;
    expect(rig.refused).toEqual(['too_many_connections']);
    expect(rig.lines).toMatchObject([{ fields: { detail: 'its place went to a newcomer' } }]);
    expect(rig.listener.connections()).toBe(2);
    expect(third.isClosed()).toBe(false);
  });
});

describe('handshakes', () => {
  test('one that stalls ends at its time-out', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]), limits: { ...LIMITS, handshakeTimeoutMs: 100 } }));
    const client = await dialTcp(rig.port);
    client.socket.write(Buffer.from([22, 3, 1]));
    await client.closed;
    await poll('counted', () => rig.refused.length === 1);
    expect(rig.refused).toEqual(['tls_handshake_timeout']);
    expect(rig.lines[0]?.fields).toMatchObject({ address: '127.0.0.1' });
    await poll('the place given back', () => rig.listener.connections() === 0);
  });

  test.each([
    ['at once', GET.length],
    ['byte by byte', 1],
  ])('plain HTTP on the TLS port is told so, %s', async (_how, step) => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    const client = await dialTcp(rig.port);
    for (let at = 0; at < GET.length; at += step) {
      client.socket.write(GET.slice(at, at + step));
      await new Promise(setImmediate);
    }
    await client.closed;
    expect(client.received()).toBe(RAW_REFUSAL);
    expect(rig.lines).toMatchObject([
      { level: 'info', fields: { reason: 'http_on_tls_port', address: '127.0.0.1' }, message: 'connection refused' },
    ]);
    expect(rig.arrivals).toEqual([]);
  });

  test.each([
    ['version 1', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n')],
    ['version 2', Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c')],
  ])('a PROXY protocol header of %s is named in the log', async (_name, header) => {
    for (const tls of [tlsOf([server]), null]) {
      const rig = await start(configOf({ tls }));
      const client = await dialTcp(rig.port);
      client.socket.write(header);
      await client.closed;
      expect(rig.lines).toMatchObject([{ fields: { detail: expect.stringContaining('PROXY protocol') as string } }]);
    }
  });

  test('a client that leaves in its handshake is counted, with its address, and makes no noise', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    const client = await dialTcp(rig.port);
    await poll('accepted', () => rig.listener.connections() === 1);
    client.socket.destroy();
    await poll('counted', () => rig.refused.length === 1);
    expect(rig.lines).toMatchObject([
      { level: 'debug', fields: { reason: 'tls_handshake_failed', address: '127.0.0.1', detail: 'ECONNRESET' } },
    ]);
  });

  test('an old version is a failed handshake', async () => {
    const rig = await start(configOf({ tls: tlsOf([server], { settings: { minVersion: 'TLSv1.3' } }) }));
    const client = await dialTls(rig.port, { maxVersion: 'TLSv1.2' });
    await client.closed;
    await poll('counted', () => rig.refused.length === 1);
    expect(rig.refused).toEqual(['tls_handshake_failed']);
  });
});

describe('slowness', () => {
  test.each(['plain', 'tls'])(
    'a dribbled HTTP/1.1 head ends at the header time-out, over %s, with 408',
    async (kind) => {
      const tls = kind === 'tls' ? tlsOf([server]) : null;
      const rig = await start(configOf({ tls, limits: { ...LIMITS, headerTimeoutMs: 300 } }));
      const client = kind === 'tls' ? await dialTls(rig.port) : await dialTcp(rig.port);
      client.socket.write('GET / HTTP/1.1\r\n');
      const dribble = setInterval(() => client.socket.write('a: b\r\n'), 50);
      await client.closed;
      clearInterval(dribble);
      expect(rig.refused).toEqual(['header_timeout']);
      expect(client.received()).toBe(RAW_REFUSAL);
      expect(rig.requests).toEqual([]);
    },
  );

  test('the second head of a connection is bounded as the first was', async () => {
    const rig = await start(configOf({ limits: { ...LIMITS, headerTimeoutMs: 300 } }));
    const client = await dialTcp(rig.port);
    client.socket.write(GET);
    await poll('an answer', () => client.received().includes('200 OK'));
    client.socket.write('GET / HT');
    await client.closed;
    expect(rig.refused).toEqual(['header_timeout']);
  });

  test('a change of the header time-out holds for live connections', async () => {
    const rig = await start(configOf());
    const client = await dialTcp(rig.port);
    client.socket.write('GET / HT');
    await poll('accepted', () => rig.listener.connections() === 1);
    rig.listener.apply(configOf({ generation: 2, limits: { ...LIMITS, headerTimeoutMs: 300 } }));
    await client.closed;
    expect(rig.refused).toEqual(['header_timeout']);
  });

  test('a connection without one byte is idle, and gets no answer to what it never asked', async () => {
    const rig = await start(configOf({ limits: { ...LIMITS, headerTimeoutMs: 300 } }));
    const client = await dialTcp(rig.port);
    await client.closed;
    expect(client.received()).toBe('');
    expect(rig.refused).toEqual(['idle_timeout']);
  });

  test('a stranger who rests after an answer is cut after ten seconds, who has authenticated is not', async () => {
    const clock = createFakeClock();
    const rig = await start(configOf(), clock);
    rig.answers.handle = (request, response, { connection }) => {
      connection.authenticated = request.url === '/known';
      response.end('ok');
    };
    const stranger = await dialTcp(rig.port);
    const known = await dialTcp(rig.port);
    stranger.socket.write(GET);
    known.socket.write(GET.replace('/', '/known'));
    await poll('two answers', () => [stranger, known].every((client) => client.received().includes('200 OK')));
    clock.advance(9_000);
    expect(rig.refused).toEqual([]);
    clock.advance(1_000);
    await stranger.closed;
    expect(rig.refused).toEqual(['idle_timeout']);
    clock.advance(319_000);
    expect(known.isClosed()).toBe(false);
    clock.advance(1_000);
    await known.closed;
  });

  test('an answer that takes minutes is no idleness, and the time counts from its end', async () => {
    const clock = createFakeClock();
    const rig = await start(configOf(), clock);
    let finish = (): void => undefined;
    rig.answers.handle = (_request, response) => {
      finish = () => {
        response.end('late');
      };
    };
    const client = await dialTcp(rig.port);
    client.socket.write(GET);
    await poll('the request', () => rig.requests.length === 1);
    clock.advance(120_000);
    finish();
    await poll('an answer', () => client.received().includes('late'));
    clock.advance(9_000);
    expect(client.isClosed()).toBe(false);
    clock.advance(1_000);
    await client.closed;
  });

  test.each(['plain', 'tls'])('an answer that nobody reads is cut after 30 s, over %s', async (kind) => {
    const clock = createFakeClock();
    const tls = kind === 'tls' ? tlsOf([server]) : null;
    const rig = await start(configOf({ tls }), clock);
    let isOver = false;
    rig.answers.handle = (_request, response) => {
      const writable = response as NodeJS.WritableStream;
      const fill = (): void => {
        while (writable.write(Buffer.alloc(64 * 1024)));
        writable.once('drain', fill);
      };
      response.once('close', () => {
        isOver = true;
      });
      fill();
    };
    const client = kind === 'tls' ? await dialTls(rig.port) : await dialTcp(rig.port);
    client.socket.write(GET);
    client.socket.pause();
    await poll('the request', () => rig.requests.length === 1);
    const { socket } = rig.requests[0]!;
    let written = -1;
    await poll('the buffers full', () => written === (written = socket.bytesWritten) && written > 0, { everyMs: 100 });
    clock.advance(31_000);
    await poll('the answer cut', () => isOver);
    expect(rig.refused).toEqual(['send_timeout']);
  });

  test('a slow reader that does read is left alone', async () => {
    const clock = createFakeClock();
    const rig = await start(configOf(), clock);
    const total = 32 * 1024 * 1024;
    const pieces = 512;
    let sent = 0;
    function* piecewise(): Generator<Buffer> {
      while (sent < pieces) {
        sent += 1;
        yield Buffer.alloc(total / pieces);
      }
    }
    rig.answers.handle = (request, response) => {
      // A stranger gets less time to read: his answers are short.
      arrivalOf(request).connection.authenticated = true;
      response.setHeader('Content-Length', total);
      Readable.from(piecewise()).pipe(response as NodeJS.WritableStream);
    };
    const client = await dialTcp(rig.port);
    client.socket.pause();
    client.socket.write(GET);
    await poll('the request', () => rig.requests.length === 1);
    let read = 0;
    let mayRead = 0;
    client.socket.on('data', (chunk: Buffer) => {
      read += chunk.length;
      if (read >= mayRead) client.socket.pause();
    });
    const readOn = (bytes: number): void => {
      mayRead = read + bytes;
      client.socket.resume();
    };
    let pauses = 0;
    // What it reads must reach the gate: kernels hold megabytes between the two.
    for (let before = sent; before < pieces; before = sent) {
      await poll('a little more to be sent', () => {
        if (sent === before && client.socket.isPaused()) readOn(256 * 1024);
        return sent > before;
      });
      client.socket.pause();
      clock.advance(20_000);
      pauses += 1;
    }
    expect(pauses).toBeGreaterThan(2);
    readOn(total);
    await poll('all of it', () => read >= total);
    // Once all of it is in the kernel's hands the connection rests, and may be idle by this clock.
    expect(rig.refused).not.toContain('send_timeout');
  });
});

describe('a stranger who only collects refusals', () => {
  test('is cut after 200 requests in 10 s, and who has authenticated is not', async () => {
    for (const authenticated of [false, true]) {
      const rig = await start(configOf());
      rig.answers.handle = (request, response) => {
        arrivalOf(request).connection.authenticated = authenticated;
        response.end();
      };
      const client = await dialTcp(rig.port);
      for (let asked = 1; asked <= 201; asked++) {
        client.socket.write(GET);
        await poll(
          'an answer',
          () => client.received().split('HTTP/1.1 200').length > asked || client.socket.destroyed,
        );
      }
      await poll('all', () => rig.requests.length >= 200);
      expect(rig.requests).toHaveLength(authenticated ? 201 : 200);
      expect(rig.refused).toEqual(authenticated ? [] : ['unauthenticated_flood']);
      client.socket.destroy();
    }
  });
});

describe('pipelining', () => {
  test('of 20 000 requests in one chunk four reach the app', async () => {
    const rig = await start(configOf());
    rig.answers.handle = () => undefined;
    const client = await dialTcp(rig.port);
    client.socket.write(GET.repeat(20_000));
    await client.closed;
    expect(rig.requests).toHaveLength(4);
    expect(rig.refused).toEqual(['pipeline_exceeded']);
    expect(client.received()).toBe('');
  });

  test('what stands behind a request that cost the connection is not handled', async () => {
    const rig = await start(configOf());
    rig.answers.handle = (_request, _response, { connection }) => {
      connection.destroy();
    };
    const client = await dialTcp(rig.port);
    client.socket.write(GET.repeat(3));
    await client.closed;
    expect(rig.requests).toHaveLength(1);
  });

  test('four at a time are answered in order, again and again', async () => {
    const rig = await start(configOf());
    const client = await dialTcp(rig.port);
    for (let round = 1; round <= 3; round++) {
      client.socket.write(GET.repeat(4));
      await poll('four answers', () => client.received().split('200 OK').length - 1 === 4 * round);
    }
    expect(rig.refused).toEqual([]);
  });
});
