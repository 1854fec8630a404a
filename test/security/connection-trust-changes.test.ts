/**
 * Attack: stay in on a connection that was opened when one was still trusted. Prometheus keeps its scrape connections
 * open for minutes, TLS never asks again, and a slow reader keeps "the answer in flight" in flight for ever.
 */
import { connect as connectH2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { FIRST_REQUEST_MS } from '../../src/listen/live-connection.ts';
import type { RawResponse } from '../../src/listen/ports.ts';
import { connectionVerdict } from '../../src/request/authenticate/client-certificate.ts';
import {
  configOf,
  dialTcp,
  dialTls,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  GET,
  GET_HEADERS,
  PREFACE,
  tlsOf,
  type Rig,
} from '../listen/harness.ts';
import { useRigs } from '../listen/rigs.ts';
import type { Issued } from '../support/certificates.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';

const { authority, server, start: startRig } = useRigs();
const client = authority.issue({ name: 'master', purpose: 'client' });
const clean = authority.crl().pem;
authority.revoke(client);
const withClientRevoked = authority.crl().pem;

const verifying = (generation: number, crl: string): Config =>
  configOf({ generation, tls: tlsOf([server], { type: 'RequireAndVerifyClientCert', ca: [authority.cert], crl }) });

async function start(
  config: Config,
  clock = createFakeClock(Date.now()),
): Promise<Rig & { advance(ms: number): void }> {
  const rig = await startRig(config, clock);
  return {
    ...rig,
    advance: (ms) => {
      clock.advance(ms);
    },
  };
}

/** As the composition root does it: the ports answer by the new configuration, then the listener is told. */
function apply(rig: Rig, config: Config): void {
  rig.answers.judge = (facts) => connectionVerdict(facts, config, Date.now());
  rig.listener.apply(config);
}

function dialH2(rig: Rig, pair: Partial<Issued> = {}): ClientHttp2Session {
  const session = connectH2(`https://127.0.0.1:${rig.port}`, { ...pair, rejectUnauthorized: false });
  session.on('error', () => undefined);
  return session;
}

async function answered(stream: ClientHttp2Stream): Promise<unknown> {
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  stream.resume();
  await once(stream, 'close');
  return headers[':status'];
}

describe('a revoked certificate on its live connection', () => {
  test('HTTP/1.1: an idle connection is closed at once, and a new one does not come in', async () => {
    const rig = await start(verifying(1, clean));
    const live = await dialTls(rig.port, client);
    live.socket.write(GET);
    await poll('an answer', () => live.received().includes('200 OK'));
    apply(rig, verifying(2, withClientRevoked));
    await live.closed;
    expect(rig.refused).toEqual(['certificate_revoked']);
    const again = await dialTls(rig.port, client);
    again.socket.write(GET);
    await again.closed;
    expect(again.received()).toBe('');
    expect(rig.requests).toHaveLength(1);
    expect(rig.refused).toEqual(['certificate_revoked', 'certificate_revoked']);
  });

  test('HTTP/2: GOAWAY at once, the answer in flight ends, and a client that goes on is not heard', async () => {
    const rig = await start(verifying(1, clean));
    let finish = (): void => undefined;
    rig.answers.handle = (_request, response) => {
      finish = () => {
        response.end('whole');
      };
    };
    const live = await dialTls(rig.port, { ...client, ALPNProtocols: ['h2'] });
    const request = (stream: number) => frame(FRAME.headers, END_HEADERS | END_STREAM, stream, GET_HEADERS);
    live.socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0), request(1)]));
    await poll('the request', () => rig.requests.length === 1);
    apply(rig, verifying(2, withClientRevoked));
    const goaway = frame(FRAME.goaway, 0, 0, Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])).toString('latin1');
    await poll('GOAWAY after stream 1', () => live.received().includes(goaway));
    live.socket.write(request(3));
    const ping = frame(FRAME.ping, 0, 0, Buffer.from('answerme'));
    live.socket.write(ping);
    await poll('what came before the PING was read', () => live.received().includes('answerme'));
    finish();
    await live.closed;
    expect(live.received()).toContain('whole');
    expect(rig.requests).toHaveLength(1);
    expect(rig.refused).toEqual(['certificate_revoked']);
  });

  test('HTTP/2: an idle connection is closed at once', async () => {
    const rig = await start(verifying(1, clean));
    const session = dialH2(rig, client);
    expect(await answered(session.request({ ':path': '/' }))).toBe(200);
    apply(rig, verifying(2, withClientRevoked));
    await poll('the connection closed', () => rig.listener.connections() === 0);
    expect(session.closed || session.destroyed).toBe(true);
  });

  test('a certificate that is still good stays, with its connection', async () => {
    const rig = await start(verifying(1, clean));
    const other = authority.issue({ name: 'other', purpose: 'client' });
    const live = await dialTls(rig.port, other);
    live.socket.write(GET);
    await poll('an answer', () => live.received().includes('200 OK'));
    apply(rig, verifying(2, withClientRevoked));
    live.socket.write(GET);
    await poll('another answer', () => live.received().split('200 OK').length === 3);
    expect(rig.arrivals[1]?.connection.judgedUnder).toBe(2);
    expect(rig.arrivals[1]?.fault).toBeNull();
    live.socket.destroy();
  });
});

describe('leaving', () => {
  async function half(rig: Rig): Promise<RawResponse> {
    let answer: RawResponse | null = null;
    rig.answers.handle = (_request, response) => {
      answer = response;
    };
    return poll('the request', () => answer);
  }

  test('an answer that has not begun says Connection: close, and ends', async () => {
    const rig = await start(configOf());
    const live = await dialTcp(rig.port);
    live.socket.write(GET);
    const answer = await half(rig);
    rig.answers.mayConnect = () => 'address_denied';
    rig.listener.apply(configOf({ generation: 2 }));
    answer.end('whole');
    await live.closed;
    expect(live.received()).toMatch(/connection: close/i);
    expect(live.received()).toMatch(/whole$/);
    expect(rig.refused).toEqual(['address_denied']);
  });

  test('a request that comes on a leaving connection is answered with the reason, and not served', async () => {
    const rig = await start(configOf());
    const live = await dialTcp(rig.port);
    live.socket.write(GET);
    const answer = await half(rig);
    rig.answers.mayConnect = () => 'address_denied';
    rig.listener.apply(configOf({ generation: 2 }));
    live.socket.write(GET);
    await poll('the second request', () => rig.arrivals.length === 2);
    expect(rig.arrivals[1]?.fault).toMatchObject({ reason: 'address_denied' });
    expect(rig.arrivals[1]?.connection.leaving).toBe(true);
    answer.end();
  });

  test('a request on a connection that was judged under an older configuration is judged first', async () => {
    const rig = await start(configOf());
    const live = await dialTcp(rig.port);
    live.socket.write(GET);
    await poll('an answer', () => live.received().includes('200 OK'));
    rig.arrivals[0]!.connection.judgedUnder = 0;
    rig.answers.judge = () => 'certificate_expired';
    live.socket.write(GET);
    await poll('the second request', () => rig.arrivals.length === 2);
    expect(rig.arrivals[1]?.fault).toMatchObject({ reason: 'certificate_expired' });
    await live.closed;
  });

  test('a slow reader is destroyed when the drain time is over', async () => {
    const rig = await start(configOf({ drainTimeoutMs: 5_000 }));
    const live = await dialTcp(rig.port);
    live.socket.pause();
    live.socket.write(GET);
    const answer = await half(rig);
    (answer as NodeJS.WritableStream).write(Buffer.alloc(32 * 1024 * 1024));
    rig.answers.mayConnect = () => 'address_denied';
    rig.listener.apply(configOf({ generation: 2, drainTimeoutMs: 5_000 }));
    rig.advance(4_000);
    expect(rig.listener.connections()).toBe(1);
    rig.advance(1_000);
    await poll('destroyed', () => rig.listener.connections() === 0);
    expect(answer.destroyed).toBe(true);
  });

  test('time alone changes trust too: without a change of the configuration it is asked again', async () => {
    const rig = await start(configOf());
    const live = await dialTcp(rig.port);
    live.socket.write(GET);
    await poll('an answer', () => live.received().includes('200 OK'));
    rig.arrivals[0]!.connection.authenticated = true;
    rig.answers.judge = () => 'crl_expired';
    rig.advance(29_000);
    expect(rig.refused).toEqual([]);
    rig.advance(1_000);
    await live.closed;
    expect(rig.refused).toEqual(['crl_expired']);
  });

  test('the greatest age ends a connection between two requests', async () => {
    const limits = { ...configOf().limits, maxConnectionAgeMs: 5_000 };
    const rig = await start(configOf({ limits }));
    const live = await dialTcp(rig.port);
    live.socket.write(GET);
    await poll('an answer', () => live.received().includes('200 OK'));
    rig.advance(5_000);
    await live.closed;
    expect(rig.refused).toEqual(['connection_expired']);
  });

  test('a connection ends with its client certificate, also while it answers', async () => {
    const rig = await start(verifying(1, clean));
    const soon = authority.issue({ name: 'soon', purpose: 'client', notAfter: new Date(Date.now() + 600_000) });
    const live = await dialTls(rig.port, soon);
    live.socket.write(GET);
    const answer = await half(rig);
    rig.advance(590_000);
    expect(rig.refused).toEqual([]);
    rig.advance(11_000);
    expect(rig.refused).toEqual(['connection_expired']);
    answer.end('whole');
    await live.closed;
    expect(live.received()).toMatch(/whole$/);
  });
});

describe('a change of the TLS configuration', () => {
  test('new connections get the new certificate, live ones go on', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    const live = await dialTls(rig.port);
    const next = authority.issue({ name: 'renewed' });
    apply(rig, configOf({ generation: 2, tls: tlsOf([next]) }));
    const fresh = await dialTls(rig.port);
    expect(fresh.socket.getPeerCertificate().subject.CN).toBe('renewed');
    live.socket.write(GET);
    await poll('an answer', () => live.received().includes('200 OK'));
    live.socket.destroy();
    fresh.socket.destroy();
  });

  test('a key that OpenSSL refuses throws, and nothing has changed', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    const broken = tlsOf([server]);
    const pair = { ...broken.certificates[0]!, key: client.key };
    expect(() => {
      rig.listener.apply(configOf({ generation: 2, tls: { ...broken, certificates: [pair] } }));
    }).toThrow();
    const fresh = await dialTls(rig.port);
    fresh.socket.write(GET);
    await poll('an answer', () => fresh.received().includes('200 OK'));
    expect(rig.arrivals[0]?.connection.judgedUnder).toBe(1);
    fresh.socket.destroy();
  });
});

describe('drain', () => {
  test('what asks nothing and shakes hands ends in a second, the answer in flight ends well, nobody new comes in', async () => {
    const rig = await start(configOf({ tls: tlsOf([server]) }));
    let finish = (): void => undefined;
    rig.answers.handle = (request, response) => {
      if (request.url === '/slow') {
        finish = () => {
          response.end('whole');
        };
      } else {
        response.end('ok');
      }
    };
    const idle = await dialTls(rig.port);
    const stuck = await dialTcp(rig.port);
    const busy = await dialTls(rig.port);
    const session = dialH2(rig);
    await answered(session.request({ ':path': '/' }));
    busy.socket.write(GET.replace('/', '/slow'));
    await poll('the slow request', () => rig.requests.length === 2);
    const drained = rig.listener.drain(10_000);
    rig.advance(FIRST_REQUEST_MS);
    await Promise.all([idle.closed, stuck.closed]);
    await poll('one left', () => rig.listener.connections() === 1);
    await expect(dialTcp(rig.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    finish();
    await drained;
    expect(busy.received()).toMatch(/whole$/);
    expect(rig.listener.connections()).toBe(0);
  });

  test('what has not ended in time is destroyed', async () => {
    const rig = await start(configOf());
    rig.answers.handle = () => undefined;
    const live = await dialTcp(rig.port);
    live.socket.write(GET);
    await poll('the request', () => rig.requests.length === 1);
    const drained = rig.listener.drain(3_000);
    rig.advance(2_999);
    expect(rig.listener.connections()).toBe(1);
    rig.advance(1);
    await drained;
    await live.closed;
  });
});
