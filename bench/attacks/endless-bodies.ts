/** One identity sends bodies that are announced, begin, and never end, each over a connection of its own. */
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import type { Attack } from './attack.ts';

const ADDRESSES = 8;
const OF_EACH = 240;
const SENT_BYTES = 60_000;
const ANNOUNCED_BYTES = 62_000;
const AT_ONCE = 20;
const SETTLE_MS = 1_500;

export const endlessBodies: Attack = async ({ port, authorization }) => {
  const counts = { begun: 0, bytes: 0, ended: 0 };
  const head = [
    'POST /api/v1/query HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${ANNOUNCED_BYTES}`,
    `Authorization: ${authorization}`,
  ].join('\r\n');
  const body = `query=${'a'.repeat(SENT_BYTES - 'query='.length)}`;
  const open = (localAddress: string): void => {
    const raw = connectTcp({ host: '127.0.0.1', port, localAddress }).on('error', () => socket.destroy());
    const socket = connect({ socket: raw, rejectUnauthorized: false, servername: 'localhost' });
    socket.on('error', () => undefined);
    socket.resume();
    socket.once('secureConnect', () => {
      counts.begun += 1;
      socket.write(`${head}\r\n\r\n${body}`, (error) => {
        if (error === undefined || error === null) counts.bytes += SENT_BYTES;
      });
    });
    socket.once('close', () => {
      raw.destroy();
      counts.ended += 1;
      setTimeout(open, 500, localAddress);
    });
  };
  for (let index = 0; index < ADDRESSES * OF_EACH; index++) {
    open(`127.3.0.${(index % ADDRESSES) + 1}`);
    if (index % AT_ONCE === 0) await delay(10);
  }
  await delay(SETTLE_MS);
  return { counts: () => counts };
};
