/** Ends a connection so that its client gets to read why. */
import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';

/** How long a client that is refused may take to read the answer. */
export const LINGER_MS = 1_000;

/**
 * Writes the answer, if any, and ends our side. What the client still sends is read and dropped until it has closed, or
 * for a moment: a socket that is closed with unread bytes resets the connection, and takes the answer along.
 */
export function endAndLinger(socket: Socket, clock: Clock, answer: Buffer | null): void {
  const timer = clock.after(LINGER_MS, () => {
    socket.destroy();
  });
  socket.once('close', () => {
    timer.cancel();
  });
  socket.resume();
  if (answer === null) socket.end();
  else socket.end(answer);
}
