/**
 * The attack: a client sends as many certificates as OpenSSL takes (100 kB) in one handshake, made so that each costs as
 * much as can be. All of them are verified within one turn of the event loop, before anything of ours can say no: half a
 * second for each such handshake, from anybody, from many addresses of a net, or on many connections at once. Or it never
 * ends such a handshake: it sends a byte too many, leaves, or has its next connection push the one before out of its place.
 */
import { expect, test } from 'vitest';
import { request } from 'node:https';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { configOf, dialTcp, dialTls, GET, LIMITS, tlsOf, type Client, type Rig } from '../listen/harness.ts';
import { useRigs } from '../listen/rigs.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';
import { createAuthority } from '../support/certificates.ts';

const { authority, server, start } = useRigs();
const stranger = createAuthority('Stranger');
const padded = stranger.issue({
  name: 'padded',
  sans: Array.from({ length: 40 }, (_, index) => `DNS:a-rather-long-name-${index}.example.com`),
});
const LARGE = { cert: padded.cert.repeat(40), key: padded.key };
const good = authority.issue({ name: 'scraper', sans: ['DNS:scraper'], purpose: 'client' });

interface Gate {
  readonly rig: Rig;
  readonly clock: FakeClock;
}

async function startGate(limits = LIMITS): Promise<Gate> {
  const clock = createFakeClock();
  const tls = tlsOf([server], { type: 'RequireAndVerifyClientCert', ca: [authority.cert] });
  const rig = await start(configOf({ tls, limits }), clock);
  rig.answers.judge = (facts) => (facts.tls?.certificate?.verifyError === null ? null : 'certificate_unknown_ca');
  return { rig, clock };
}

/** Waits; meanwhile what strangers have cost is worked off, and handshakes whose turn it is begin. */
async function meanwhile<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  promise.then(end, end);
  const isDone = (): boolean => {
    if (!isOver) clock.advance(20);
    return isOver;
  };
  await poll('its turn', isDone, { everyMs: 1 });
  return promise;
}

/** As the app does with the right password or certificate. */
function authenticateAll(rig: Rig): void {
  rig.answers.handle = (_request, response, { connection }) => {
    connection.authenticated = true;
    response.end('ok');
  };
}

async function dial({ rig, clock }: Gate, localAddress: string, pair: { cert: string; key: string }): Promise<Client> {
  const client = await meanwhile(clock, dialTls(rig.port, { localAddress, cert: pair.cert, key: pair.key } as object));
  client.socket.write(GET);
  return client;
}

const isAnswered = (client: Client): boolean => client.received().includes('200 OK');

test('after one such handshake OpenSSL is shown no other one from there, and good scrapers beside it get in', async () => {
  const gate = await startGate();
  const { rig, clock } = gate;
  authenticateAll(rig);
  const first = await dial(gate, '127.0.9.1', LARGE);
  await first.closed;
  expect(rig.refused).toEqual(['certificate_unknown_ca']);
  for (const address of ['127.0.9.1', '127.0.9.2', '127.0.9.3']) {
    const next = await dial(gate, address, LARGE);
    await next.closed;
  }
  // Whoever was shown to OpenSSL as a whole was judged as well.
  expect(rig.refused.slice(1)).toEqual(new Array(3).fill('costly_handshakes'));
  expect(rig.facts).toHaveLength(1);
  for (const address of ['127.0.9.1', '127.0.9.2', '127.3.0.1']) {
    const scraper = await dial(gate, address, good);
    await poll('an answer', () => isAnswered(scraper));
    scraper.socket.write(GET);
    await poll('another', () => scraper.received().split('200 OK').length === 3);
    scraper.socket.destroy();
  }
  clock.advance(60_000);
  const later = await dial(gate, '127.0.9.1', LARGE);
  await later.closed;
  expect(rig.refused.at(-1)).toBe('certificate_unknown_ca');
});

test('those under way from there at that moment are cut', async () => {
  const gate = await startGate();
  const { rig } = gate;
  const waiting = await dialHello(rig, '127.0.9.4');
  const first = await dial(gate, '127.0.9.1', LARGE);
  await first.closed;
  await waiting.closed;
  expect(rig.refused.toSorted()).toEqual(['certificate_unknown_ca', 'costly_handshakes']);
});

test('an address that shows refused certificates without end is shut out, its neighbours and open connections are not', async () => {
  const gate = await startGate();
  const { rig } = gate;
  const open = await dial(gate, '127.0.9.1', good);
  await poll('an answer', () => isAnswered(open));
  const small = { cert: padded.cert, key: padded.key };
  for (let count = 0; count < 200 && !rig.refused.includes('costly_handshakes'); count++) {
    const refused = await dial(gate, '127.0.9.1', small);
    await refused.closed;
    // It rests for no longer than a stranger's connection may.
    if (count % 20 === 0) open.socket.write(GET);
  }
  expect(rig.refused.at(-1)).toBe('costly_handshakes');
  expect(rig.refused.length).toBeGreaterThan(30);
  const neighbour = await dial(gate, '127.0.9.2', good);
  await poll('an answer', () => isAnswered(neighbour));
  const answers = open.received().split('200 OK').length;
  open.socket.write(GET);
  await poll('another', () => {
    gate.clock.advance(20);
    return open.received().split('200 OK').length > answers;
  });
});

test('a scraper that has logged in from there still gets in, and goes before the strangers', async () => {
  const gate = await startGate();
  const { rig, clock } = gate;
  authenticateAll(rig);
  const before = await dial(gate, '127.0.9.1', good);
  await poll('an answer', () => isAnswered(before));
  for (let count = 0; count < 60; count++) {
    const next = await dial(gate, '127.0.9.1', LARGE);
    await next.closed;
  }
  const now = clock.monotonic();
  for (const address of ['127.0.9.1', '127.3.0.1']) {
    const next = await meanwhile(clock, dialTls(rig.port, { localAddress: address, ...LARGE } as object));
    await next.closed;
  }
  expect(clock.monotonic()).toBeGreaterThan(now);
  clock.advance(1_000);
  const scraper = await dialTls(rig.port, { localAddress: '127.0.9.1', ...good } as object);
  scraper.socket.write(GET);
  await poll('an answer', () => isAnswered(scraper));
});

test('of many at once, before anything is owed, OpenSSL is shown the certificates of a few', async () => {
  const gate = await startGate({ ...LIMITS, connectionsPerAddress: 40 });
  const { rig, clock } = gate;
  const held: HeldClient[] = [];
  for (let count = 0; count < 30; count++) held.push(await meanwhile(clock, dialHeld(rig, '127.0.9.1')));
  // They show all that they have, and never end their handshakes.
  for (const client of held) client.goOn();
  const tooLarge = (): unknown[] => rig.lines.filter(({ fields }) => String(fields['detail']).includes('8192 bytes'));
  await poll('all but a few stopped', () => tooLarge().length >= 22);
  expect(tooLarge()).toHaveLength(22);
  // The few are closed by whatever comes next.
  await meanwhile(clock, dialTls(rig.port, { localAddress: '127.0.9.2', ...good } as object));
  for (const { client } of held) await client.closed;
  expect(rig.facts.length).toBeLessThanOrEqual(1);
});

test('a long request right behind the handshake of a bounded connection is read', async () => {
  const gate = await startGate();
  const { rig } = gate;
  const first = await dial(gate, '127.0.9.1', LARGE);
  await first.closed;
  const asking = new Promise<number | undefined>((resolve, reject) => {
    const headers = { 'x-long': 'x'.repeat(40_000) };
    const options = {
      port: rig.port,
      rejectUnauthorized: false,
      cert: good.cert,
      key: good.key,
      headers,
      agent: false,
    };
    const asked = request({ host: '127.0.0.1', localAddress: '127.0.9.1', ...options }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once('error', reject);
    asked.end();
  });
  expect(await meanwhile(gate.clock, asking)).toBe(200);
});

test('an address that goes beyond its bounds again and again is shut out in the end', async () => {
  const gate = await startGate();
  const { rig } = gate;
  const first = await dial(gate, '127.0.9.1', LARGE);
  await first.closed;
  const details = (): unknown[] => rig.lines.map(({ fields }) => fields['detail']);
  for (let count = 0; count < 60 && details().at(-1) !== undefined; count++) {
    const next = await dial(gate, '127.0.9.1', LARGE);
    await next.closed;
  }
  expect(rig.refused.at(-1)).toBe('costly_handshakes');
  expect(details().at(-1)).toBeUndefined();
});

/** Sends a ClientHello, and hears the answer without saying another word. */
async function dialHello(rig: Rig, localAddress: string): Promise<Client> {
  const client = await dialTcp(rig.port, { localAddress });
  const deaf = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      client.socket.write(chunk, done);
    },
  });
  connect({ socket: deaf, rejectUnauthorized: false }).on('error', () => undefined);
  await poll('the answer to its ClientHello', () => client.received().length > 0);
  return client;
}

interface HeldClient {
  readonly client: Client;
  goOn(): void;
}

/** Sends a ClientHello; then, when it is told to, 50 kB of its certificates. */
async function dialHeld(rig: Rig, localAddress: string): Promise<HeldClient> {
  const client = await dialTcp(rig.port, { localAddress });
  let left = 50_000;
  const waiting: Buffer[] = [];
  let isHeld = true;
  let isHello = true;
  const send = (chunk: Buffer): void => {
    client.socket.write(chunk.subarray(0, left));
    left = Math.max(0, left - chunk.length);
  };
  const narrow = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      if (isHello || !isHeld) send(chunk);
      else waiting.push(chunk);
      isHello = false;
      done();
    },
  });
  client.socket.on('data', (chunk: Buffer) => narrow.push(chunk));
  client.socket.once('close', () => narrow.destroy());
  connect({ socket: narrow, rejectUnauthorized: false, ...LARGE }).on('error', () => undefined);
  await poll('its own flight', () => waiting.length > 0);
  return {
    client,
    goOn() {
      isHeld = false;
      for (const chunk of waiting.splice(0)) send(chunk);
    },
  };
}

/** Shakes hands, but keeps back whatever is beyond so many bytes. */
async function dialWithin(rig: Rig, localAddress: string, most: number): Promise<void> {
  const { socket } = await dialTcp(rig.port, { localAddress });
  let asked = 0;
  const narrow = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      socket.write(chunk.subarray(0, Math.max(0, most - asked)));
      asked += chunk.length;
      done();
    },
  });
  socket.on('data', (chunk: Buffer) => narrow.push(chunk));
  socket.once('close', () => narrow.destroy());
  connect({ socket: narrow, rejectUnauthorized: false, ...LARGE }).on('error', () => undefined);
  await poll('the whole flight', () => asked > most);
}

test('an address that pushes its own unfinished handshakes out of their places owes for them', async () => {
  const gate = await startGate({ ...LIMITS, connectionsPerAddress: 1 });
  const { rig } = gate;
  await dialWithin(rig, '127.0.9.1', 50_000);
  const next = await dial(gate, '127.0.9.1', LARGE);
  await next.closed;
  expect(rig.refused).toEqual(['too_many_connections_from_address', 'costly_handshakes']);
  expect(rig.facts).toHaveLength(0);
});

test('a bounded handshake that its client ends is counted for its address', async () => {
  const gate = await startGate();
  const { rig } = gate;
  const first = await dial(gate, '127.0.9.1', LARGE);
  await first.closed;
  gate.clock.advance(2_000);
  const leaving = await dialHello(rig, '127.0.9.1');
  leaving.socket.end();
  await leaving.closed;
  await poll('its line', () => rig.lines.length === 2);
  expect(rig.lines[1]?.fields).toMatchObject({ reason: 'tls_handshake_failed', address: '127.0.9.1' });
});
