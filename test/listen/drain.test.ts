/** The orderly end: a client that connected before it began, and has asked nothing yet, is not to notice it. */
import { describe, expect, test } from 'vitest';
import { FIRST_REQUEST_MS } from '../../src/listen/live-connection.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';
import { configOf, dialTcp, dialTls, GET, tlsOf } from './harness.ts';
import { useRigs } from './rigs.ts';

const { server, start } = useRigs();
const DRAIN_MS = 10_000;

describe('a drain', () => {
  test('answers the first request of a connection that was there, and closes behind it', async () => {
    const rig = await start(configOf({ tls: null }), createFakeClock());
    const client = await dialTcp(rig.port);
    await poll('the connection', () => rig.live() === 1);
    const drained = rig.listener.drain(DRAIN_MS);
    client.socket.write(GET);
    await client.closed;
    expect(client.received()).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/);
    await drained;
    expect(rig.refused).toEqual([]);
  });

  test('answers it also when half of its head had come, and takes no second one', async () => {
    const rig = await start(configOf({ tls: null }), createFakeClock());
    const client = await dialTcp(rig.port);
    client.socket.write(GET.slice(0, 10));
    await poll('the connection', () => rig.live() === 1);
    const drained = rig.listener.drain(DRAIN_MS);
    client.socket.write(GET.slice(10) + GET);
    await client.closed;
    await drained;
    expect(client.received().split('HTTP/1.1 200').length - 1).toBe(1);
  });

  test('lets a handshake end and its first request be answered', async () => {
    const clock = createFakeClock();
    const rig = await start(configOf({ tls: tlsOf([server]) }), clock);
    const raw = await dialTcp(rig.port);
    await poll('the connection', () => rig.live() === 1);
    const drained = rig.listener.drain(DRAIN_MS);
    const client = await dialTls(rig.port, { socket: raw.socket });
    client.socket.write(GET);
    await client.closed;
    expect(client.received()).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/);
    await drained;
  });

  test.each(['http', 'https'])('waits a second, and no longer, for who asks nothing (%s)', async (scheme) => {
    const clock = createFakeClock();
    const rig = await start(configOf({ tls: scheme === 'http' ? null : tlsOf([server]) }), clock);
    const client = await dialTcp(rig.port);
    await poll('the connection', () => rig.live() === 1);
    const drained = rig.listener.drain(DRAIN_MS);
    clock.advance(FIRST_REQUEST_MS - 1);
    expect(rig.live()).toBe(1);
    clock.advance(1);
    await client.closed;
    await drained;
  });

  test('closes at once what has been answered before', async () => {
    const rig = await start(configOf({ tls: null }), createFakeClock());
    const client = await dialTcp(rig.port);
    client.socket.write(GET);
    await poll('the answer', () => client.received().endsWith('ok'));
    await rig.listener.drain(DRAIN_MS);
    await client.closed;
  });
});
