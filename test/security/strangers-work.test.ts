/**
 * The attack: strangers keep the one thread that serves everybody busy with what nobody can refuse before it was done.
 * They shake hands from a thousand addresses, send 56 KB of headers with each request over HTTP/2 without reading an
 * answer, or ask without a password as fast as they are refused. All of it together gets a fixed share of the time, in
 * turn by net and address; who has authenticated is outside of it, and an address that has logged in has a share of its own.
 */
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { setImmediate as turn } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { Tls } from '../../src/config/config.ts';
import { arrivalOf } from '../../src/request/arrival.ts';
import { configOf, dialTcp, dialTls, GET, LIMITS, tlsOf, type Client, type Rig } from '../listen/harness.ts';
import { useRigs } from '../listen/rigs.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';

const { server, start } = useRigs();
const SCRAPER = '127.0.9.1';
/** Milliseconds of work that strangers may do before they have to wait, and what a handshake counts at least. */
const BURST = 20;

/** Who says so in the request line is let in. */
async function startGate(
  limits = LIMITS,
  tls: Tls | null = tlsOf([server]),
): Promise<{ readonly rig: Rig; readonly clock: FakeClock }> {
  const clock = createFakeClock();
  const rig = await start(configOf({ tls, limits, http2: true }), clock);
  rig.answers.handle = (request, response) => {
    if (request.url === '/good') arrivalOf(request).connection.authenticated = true;
    response.statusCode = request.url === '/good' ? 200 : 401;
    response.end('.');
  };
  return { rig, clock };
}

const GOOD = GET.replace('/ ', '/good ');
const timesAnswered = (client: Client, status: number): number =>
  client.received().split(`HTTP/1.1 ${status}`).length - 1;

async function ask(client: Client<TLSSocket> | Client): Promise<void> {
  const before = timesAnswered(client, 200);
  client.socket.write(GOOD);
  await poll('an answer', () => timesAnswered(client, 200) > before);
}

/** Lets the loop turn often enough for everything that may begin to begin; the clock stands. */
async function settle(count: () => number): Promise<number> {
  let last = -1;
  await poll('nothing to begin any more', async () => {
    for (let index = 0; index < 50; index++) await turn();
    const isSettled = count() === last;
    last = count();
    return isSettled;
  });
  return last;
}

test('handshakes from everywhere begin in turn; who has logged in waits for none of them', async () => {
  const { rig, clock } = await startGate({ ...LIMITS, connections: 1_000, connectionsPerAddress: 100 });
  const kept = await dialTls(rig.port, { localAddress: SCRAPER } as object);
  await ask(kept);
  const flood: Client[] = [];
  const dialing: Promise<unknown>[] = [];
  for (let index = 0; index < 250; index++) {
    const dialed = dialTls(rig.port, { localAddress: `127.1.${index % 50}.1` } as object);
    dialing.push(dialed.then((client) => flood.push(client)));
  }
  await poll('all connected', () => rig.listener.connections() === 251);
  const begun = await settle(() => rig.facts.length);
  expect(begun).toBeGreaterThan(BURST / 2);
  expect(begun).toBeLessThanOrEqual(BURST + 2);
  // Kept or new, it is served while the clock stands.
  await ask(kept);
  const fresh = await dialTls(rig.port, { localAddress: SCRAPER } as object);
  await ask(fresh);
  // A newcomer from elsewhere has the next turn of its net, not the last of all.
  const newcomer = dialTls(rig.port, { localAddress: '127.7.0.1' } as object);
  await poll('accepted', () => rig.listener.connections() === 253);
  await poll('its turn', async () => {
    clock.advance(5);
    for (let index = 0; index < 4; index++) await turn();
    return rig.facts.some(({ peer }) => peer === '127.7.0.1');
  });
  expect(rig.facts.length).toBeLessThan(200);
  await newcomer;
  // Nothing was lost: what waited comes in when there is time.
  await poll('all in', () => {
    clock.advance(20);
    return flood.length === 250;
  });
  await Promise.all(dialing);
  expect(rig.refused).toEqual([]);
});

async function ballast(rig: Rig, localAddress: string): Promise<ClientHttp2Session> {
  const { socket } = await dialTls(rig.port, { localAddress, ALPNProtocols: ['h2'] } as object);
  const session = connectHttp2('https://gate', { createConnection: () => socket, maxSendHeaderBlockLength: 200_000 });
  session.on('error', () => undefined);
  return session;
}

test('headers of 56 KB over HTTP/2 are read as there is time, and all of them in the end', async () => {
  const { rig, clock } = await startGate();
  const kept = await dialTls(rig.port, { localAddress: SCRAPER } as object);
  await ask(kept);
  const sessions = await Promise.all([1, 2, 3, 4].map((number) => ballast(rig, `127.1.0.${number}`)));
  const headers = Object.fromEntries(Array.from({ length: 14 }, (_, index) => [`x-${index}`, 'a~b'.repeat(1_333)]));
  const asked = 100;
  let answered = 0;
  const askOn = (session: ClientHttp2Session, left: number): void => {
    if (left === 0) return;
    const request = session.request({ ':path': '/', ...headers });
    request.on('error', () => undefined);
    request.resume();
    request.once('response', () => {
      answered += 1;
    });
    request.once('close', () => {
      askOn(session, left - 1);
    });
  };
  for (const session of sessions) for (let stream = 0; stream < 4; stream++) askOn(session, asked / 4);
  const handled = await settle(() => rig.requests.length);
  // Each counts 0.25 ms and 40 µs for a kilobyte; the first of them come in one chunk.
  expect(handled).toBeGreaterThan(5);
  expect(handled).toBeLessThan(100);
  await ask(kept);
  await poll(
    'all of them',
    () => {
      clock.advance(10);
      return answered === 4 * asked;
    },
    { everyMs: 1 },
  );
  expect(rig.refused).toEqual([]);
  for (const session of sessions) session.destroy();
});

test.each(['TLS', 'TCP'])(
  'requests of strangers over %s wait beyond their share, and all are answered',
  async (over) => {
    const { rig, clock } = await startGate(LIMITS, over === 'TLS' ? tlsOf([server]) : null);
    const dial = (localAddress: string): Promise<Client> =>
      over === 'TLS' ? dialTls(rig.port, { localAddress } as object) : dialTcp(rig.port, { localAddress });
    const floods = await Promise.all([1, 2, 3, 4].map((number) => dial(`127.1.0.${number}`)));
    const onward = floods.map((client) => {
      let asked = 0;
      const next = (): void => {
        if (timesAnswered(client, 401) === asked && asked < 150) {
          asked += 1;
          client.socket.write(GET);
        }
      };
      client.socket.on('data', () => setImmediate(next));
      next();
      return () => asked;
    });
    const handled = await settle(() => rig.requests.length);
    expect(handled).toBeGreaterThan(BURST);
    expect(handled).toBeLessThan(200);
    await poll(
      'all of them',
      () => {
        clock.advance(5);
        return onward.every((asked) => asked() === 150);
      },
      { everyMs: 1 },
    );
    expect(rig.refused).toEqual([]);
  },
);

test('an address that strangers share with a scraper does not lose its scrapes', async () => {
  const { rig } = await startGate({ ...LIMITS, connections: 1_000, connectionsPerAddress: 300 });
  const kept = await dialTls(rig.port, { localAddress: SCRAPER } as object);
  await ask(kept);
  const others = await Promise.all(Array.from({ length: 150 }, () => dialTcp(rig.port, { localAddress: SCRAPER })));
  for (const { socket } of others) socket.write(Buffer.from([22, 3, 1]));
  const fresh = await dialTls(rig.port, { localAddress: SCRAPER } as object);
  await ask(fresh);
  await ask(kept);
  expect(rig.refused).toEqual([]);
});
