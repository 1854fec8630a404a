/**
 * The attack: somebody opens all the connections that the admin listener has and says nothing, or asks once and rests, so
 * that the Prometheus that scrapes the gate's metrics, and whoever asks for its health to restart it, find no place.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { startAdmin, type AdminFixture } from '../observe/admin-fixture.ts';
import { poll } from '../support/poll.ts';

const fixtures: AdminFixture[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const { admin } of fixtures.splice(0)) await admin.close();
});

async function dial(port: number, localAddress: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.resume();
  return socket;
}

it.each(['says nothing', 'has asked once'])('who holds every place and %s makes room', async (what) => {
  const fixture = await startAdmin();
  fixtures.push(fixture);
  const kept = await dial(fixture.port, '127.0.0.2');
  let answers = 0;
  kept.on('data', (chunk: Buffer) => {
    answers += chunk.toString('latin1').split('HTTP/1.1 200').length - 1;
  });
  const question = 'GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
  for (let count = 0; count < 100; count++) {
    const socket = await dial(fixture.port, `127.0.9.${1 + (count % 3)}`);
    if (what === 'has asked once') socket.write(question);
  }
  for (let count = 0; count < 5; count++) expect((await fixture.ask('/-/healthy')).status).toBe(200);
  // And who was there before, and holds one, keeps it.
  kept.write(question);
  await poll('an answer', () => answers === 1);
  expect(sockets.filter(({ closed }) => closed).length).toBeGreaterThan(30);
});
