/** The connections of the admin listener are few, and whoever holds them by saying nothing makes room for who asks. */
import type { Socket } from 'node:net';
import { FairPlaces } from '../lib/fair-places.ts';

/** @returns the listener for accepted sockets. */
export function sharePlaces(
  most: number,
  netsOf: (address: string) => readonly string[],
  isSilent: (socket: Socket) => boolean,
): (socket: Socket) => void {
  const places = new FairPlaces<Socket>();
  return (socket) => {
    // A unix socket has no address, and is one group.
    places.enter(socket, netsOf(socket.remoteAddress ?? ''), { most, isSilent })?.destroy();
    socket.once('close', () => {
      places.delete(socket);
    });
  };
}
