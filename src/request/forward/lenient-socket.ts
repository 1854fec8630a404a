/**
 * Puts the repair of answers between a connection and undici's parser, which reads it by `socket.read()` and puts back by
 * `unshift` what it does not want yet. A stream in between would cost a copy and several turns of the loop for each chunk.
 */
import type { Socket } from 'node:net';
import { ReplyRepair } from './reply-repair.ts';

/** @returns the repair, which must be told of each request. */
export function repairReplies(socket: Socket): ReplyRepair {
  const repair = new ReplyRepair();
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  const unshift = socket.unshift.bind(socket);
  /** At the beginning of what is buffered: was read before. */
  let seenBytes = 0;
  socket.unshift = (chunk: Buffer): void => {
    seenBytes += chunk.length;
    unshift(chunk);
  };
  socket.read = (size?: number): Buffer | null => {
    // Node's own calls, with 0, only ask for more.
    if (size !== undefined) return read(size);
    const chunk = read();
    if (chunk === null) return null;
    const seen = chunk.subarray(0, seenBytes);
    const fresh = seen.length === 0 ? chunk : chunk.subarray(seen.length);
    seenBytes -= seen.length;
    if (fresh.length === 0) return chunk;
    const repaired = repair.repair(fresh);
    if (repaired === fresh) return chunk;
    if (repaired === null) return seen.length === 0 ? null : seen;
    return seen.length === 0 ? repaired : Buffer.concat([seen, repaired]);
  };
  return repair;
}
