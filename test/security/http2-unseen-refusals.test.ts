/**
 * Attack: probing with HTTP/2 requests that the protocol library refuses by itself (malformed pseudo headers, hundreds of
 * headers). Node raises no event for them, so a scanner would leave no line in the log and no count in the metrics.
 */
import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
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

const headers = (stream: number, block: Buffer): Buffer =>
  frame(FRAME.headers, END_HEADERS | END_STREAM, stream, block);
/** RFC 7541 §6.2.2: a literal header without indexing, new name. */
const literal = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const MALFORMED: Readonly<Record<string, Buffer>> = {
  'no :path': Buffer.concat([Buffer.from([0x82, 0x87, 0x41, 4]), Buffer.from('gate')]),
  'an upper-case name': Buffer.concat([GET_HEADERS, literal('X-Up', 'v')]),
  'a connection header': Buffer.concat([GET_HEADERS, literal('connection', 'close')]),
  'a pseudo header behind others': Buffer.concat([literal('a', 'b'), GET_HEADERS]),
  'three hundred headers': Buffer.concat([
    GET_HEADERS,
    ...Array.from({ length: 300 }, (_, index) => literal(`x${String(index)}`, 'v')),
  ]),
};

async function opened(): Promise<Client<TLSSocket>> {
  clock = createFakeClock();
  rig = await start(configOf({ tls: tlsOf([server]) }), clock);
  const client = await dialTls(rig.port, { ALPNProtocols: ['h2'] });
  client.socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0)]));
  await poll('the settings of the gate', () => client.received().length > 0);
  return client;
}

const wasReset = (client: Client<TLSSocket>, stream: number): boolean => {
  const head = Buffer.from([0, 0, 4, FRAME.reset, 0, 0, 0, 0, stream]).toString('latin1');
  return client.received().includes(head);
};

test.each(Object.entries(MALFORMED))(
  'a request with %s is logged and counted when its client leaves',
  async (_name, block) => {
    const client = await opened();
    client.socket.write(headers(1, block));
    await poll('RST_STREAM', () => wasReset(client, 1));
    client.socket.end();
    await client.closed;
    await poll('the refusal', () => rig.refused.length === 1);
    expect(rig.refused).toEqual(['bad_http']);
    expect(rig.requests).toEqual([]);
  },
);

test('of several all but the last are logged within a second', async () => {
  const client = await opened();
  client.socket.write(Buffer.concat([1, 3, 5].map((id) => headers(id, MALFORMED['no :path']!))));
  await poll('RST_STREAM', () => wasReset(client, 5));
  clock.advance(1_000);
  expect(rig.refused).toEqual(['bad_http', 'bad_http']);
});

test('a request that follows does not hide it, and no sweep counts it again', async () => {
  const client = await opened();
  client.socket.write(Buffer.concat([headers(1, MALFORMED['no :path']!), headers(3, GET_HEADERS)]));
  await poll('the request', () => rig.requests.length === 1);
  expect(rig.refused).toEqual(['bad_http']);
  clock.advance(3_000);
  expect(rig.refused).toEqual(['bad_http']);
});

test('a client that leaves at once does not escape', async () => {
  const client = await opened();
  client.socket.end(headers(1, MALFORMED['no :path']!));
  await client.closed;
  await poll('the refusal', () => rig.refused.length === 1);
  expect(rig.refused).toEqual(['bad_http']);
});

test('a hundred of them end the connection, and are not a hundred thousand lines', async () => {
  const client = await opened();
  for (let id = 1; id < 240 && !client.isClosed(); id += 2) {
    client.socket.write(headers(id, MALFORMED['no :path']!));
    if (id % 7 === 0) {
      await poll('RST_STREAM', () => wasReset(client, id) || client.isClosed());
      clock.advance(100);
    }
  }
  await client.closed;
  expect(rig.requests).toEqual([]);
  expect(rig.refused.length).toBeGreaterThanOrEqual(40);
  expect(rig.refused.length).toBeLessThanOrEqual(130);
});
