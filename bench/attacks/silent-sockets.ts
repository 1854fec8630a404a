/** Connects and says nothing, from as many addresses as it takes to fill every place that the gate has; again when it is closed. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Attack } from './attack.ts';

const ADDRESSES = 17;
const OF_EACH = 242;
/** What one address does when it is turned away: not at once, or the attack would be one of connecting. */
const AGAIN_MS = 500;
const SETTLE_MS = 2_000;

export const silentSockets: Attack = async ({ port }) => {
  const counts = { connected: 0, closed: 0 };
  const open = (localAddress: string): void => {
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    socket.on('error', () => undefined);
    socket.once('connect', () => (counts.connected += 1));
    socket.once('close', () => {
      counts.closed += 1;
      setTimeout(open, AGAIN_MS, localAddress);
    });
    socket.resume();
  };
  for (let address = 1; address <= ADDRESSES; address++) {
    for (let index = 0; index < OF_EACH; index++) open(`127.2.0.${address}`);
    await delay(20);
  }
  await delay(SETTLE_MS);
  return { counts: () => counts };
};
