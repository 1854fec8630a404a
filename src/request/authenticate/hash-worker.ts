/** Runs in a worker thread: verifies one password against a user's lines at a time. Never logs; nothing is kept. */
import { parentPort } from 'node:worker_threads';
import type { HtpasswdHash } from '../../formats/htpasswd.ts';
import { verifyPassword } from '../../formats/password-hash.ts';
import { yieldToRequests } from '../background-thread.ts';

export interface HashRequest {
  readonly id: number;
  readonly hashes: readonly HtpasswdHash[];
  readonly password: string;
}

export interface HashReply {
  readonly id: number;
  /** The index of a line that the password fits; -1: none; null: a hash could not be computed. */
  readonly matched: number | null;
}

/** Always goes through all lines: how long it takes must not tell which one was right. */
function verify({ hashes, password }: HashRequest): number {
  let matched = -1;
  for (const [index, hash] of hashes.entries()) {
    if (verifyPassword(hash, password) && matched === -1) matched = index;
  }
  return matched;
}

yieldToRequests();
parentPort?.on('message', (request: HashRequest) => {
  let matched: number | null = null;
  try {
    matched = verify(request);
  } catch {
    // The error could quote the hash; the parent says that there was one.
  }
  parentPort?.postMessage({ id: request.id, matched } satisfies HashReply);
});
