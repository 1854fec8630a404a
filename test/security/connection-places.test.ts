/**
 * The attack: hold every place for connections by opening them and saying nothing, from one address or from many
 * addresses of one net, so that no scraper finds one; or take the few places that a CA needs to prove a name.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createHttpListener } from '../../src/tls/acme/challenges/http-listener.ts';
import { configOf, dialTcp, dialTls, GET, LIMITS, tlsOf, type Client } from '../listen/harness.ts';
import { useRigs } from '../listen/rigs.ts';
import { freePort } from '../support/free-port.ts';
import { poll } from '../support/poll.ts';

const { server, start } = useRigs();
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function silent(port: number, localAddress: string): Promise<Client> {
  const client = await dialTcp(port, { localAddress });
  sockets.push(client.socket);
  return client;
}

test('silent connections from many addresses of a net keep no scraper out, nor end one that is known', async () => {
  const limits = { ...LIMITS, connections: 24, connectionsPerAddress: 4, handshakeTimeoutMs: 60_000 };
  const rig = await start(configOf({ tls: tlsOf([server]), limits }));
  rig.answers.handle = (_request, response, { connection }) => {
    connection.authenticated = true;
    response.end('ok');
  };
  const known = await dialTls(rig.port, { host: '127.0.0.1' });
  known.socket.write(GET);
  await poll('an answer', () => known.received().includes('ok'));
  const held: Client[] = [];
  for (let count = 0; count < 60; count++) held.push(await silent(rig.port, `127.0.9.${1 + (count % 20)}`));
  await poll('the places are taken', () => rig.listener.connections() === 24);
  // Two more scrapers, from another net: each is answered in its turn.
  for (const host of ['127.0.7.1', '127.0.7.2']) {
    const scraper = await dialTls(rig.port, { localAddress: host } as object);
    sockets.push(scraper.socket);
    scraper.socket.write(GET);
    await poll('an answer', () => scraper.received().includes('ok'));
  }
  known.socket.write(GET);
  await poll('the known one still answered', () => known.received().split('200 OK').length === 3);
  expect(held.filter((client) => client.isClosed()).length).toBeGreaterThanOrEqual(39);
  expect(new Set(rig.refused)).toEqual(new Set(['too_many_connections']));
});

test('silent connections from the address of a scraper make room for it', async () => {
  const limits = { ...LIMITS, connectionsPerAddress: 8, handshakeTimeoutMs: 60_000 };
  const rig = await start(configOf({ tls: tlsOf([server]), limits }));
  for (let count = 0; count < 20; count++) await silent(rig.port, '127.0.0.1');
  const scraper = await dialTls(rig.port);
  sockets.push(scraper.socket);
  scraper.socket.write(GET);
  await poll('an answer', () => scraper.received().includes('ok'));
});

test('an answer in flight is never cut for a newcomer', async () => {
  const limits = { ...LIMITS, connections: 2, connectionsPerAddress: 2 };
  const rig = await start(configOf({ limits }));
  rig.answers.handle = (_request, response, { connection }) => {
    connection.authenticated = true;
    (response as ServerResponse).write('begun');
  };
  const busy = [await silent(rig.port, '127.0.0.1'), await silent(rig.port, '127.0.0.1')];
  for (const { socket } of busy) socket.write(GET);
  await poll('two answers', () => busy.every((client) => client.received().includes('begun')));
  const late = await silent(rig.port, '127.0.0.2');
  await late.closed;
  expect(rig.refused).toEqual(['too_many_connections']);
  expect(busy.map((client) => client.isClosed())).toEqual([false, false]);
});

test('silent connections to the listener for http-01 keep no CA out', async () => {
  const port = await freePort();
  const challenge = { type: 'http-01', identifier: 'a.example.com', token: 'tok', keyAuthorization: 'tok.print' };
  const remove = await createHttpListener(`127.0.0.1:${port}`).present(challenge);
  try {
    for (let count = 0; count < 70; count++) await silent(port, `127.0.9.${1 + (count % 3)}`);
    // From five places of the world, one after the other, each with some time before it speaks.
    const places = await Promise.all([1, 2, 3, 4, 5].map((net) => silent(port, `127.0.${net}.1`)));
    for (let count = 0; count < 20; count++) await silent(port, '127.0.9.1');
    for (const { socket } of places) socket.write('GET /.well-known/acme-challenge/tok HTTP/1.1\r\nHost: a\r\n\r\n');
    for (const place of places) await poll('the answer', () => place.received().includes('tok.print'));
    const open = connect(port, '127.0.0.1');
    await once(open, 'connect');
    open.destroy();
  } finally {
    await remove();
  }
});
