/** An accepted socket, from its first byte to its last. */
import type { Socket } from 'node:net';
import type { LiveConnection } from './live-connection.ts';

export interface Accepted {
  readonly address: string;
  readonly socket: Socket;
  isShakingHands: boolean;
  /** Closed by us, and counted: what else goes wrong with it is a consequence. */
  isCut: boolean;
  /** null until its handshake is over. */
  connection: LiveConnection | null;
}

/** It waits for nothing of ours. */
export function isSilent({ connection }: Accepted): boolean {
  return connection === null || connection.inFlight.size === 0;
}
