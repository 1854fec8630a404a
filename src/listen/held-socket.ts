/** A connection whose first bytes were read and put back, and whose turn has not come: it is noticed when its client leaves. */
import type { Socket } from 'node:net';

/** Behind its ClientHello a client has nothing to say before it is answered. */
const MOST_BYTES = 4 * 1024;

/** @returns puts every byte back, and is to be called once. */
export function holdSocket(socket: Socket): () => void {
  const chunks: Buffer[] = [];
  let excess = -socket.readableLength - MOST_BYTES;
  const read = (): void => {
    for (let chunk = next(socket); chunk !== null; chunk = next(socket)) {
      chunks.push(chunk);
      excess += chunk.length;
    }
    if (excess > 0) socket.destroy();
  };
  const left = (): void => {
    socket.destroy();
  };
  socket.on('readable', read);
  socket.once('end', left);
  return () => {
    socket.off('readable', read);
    socket.off('end', left);
    if (!socket.destroyed && chunks.length > 0) socket.unshift(Buffer.concat(chunks));
  };
}

function next(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}
