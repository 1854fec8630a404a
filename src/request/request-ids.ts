/** Ids of requests: random, so that nobody guesses another's; drawn in batches, because each draw is a trip to the kernel. */
import { randomFillSync } from 'node:crypto';

const ID_BYTES = 8;
const BATCH_BYTES = 512 * ID_BYTES;

/** @returns a source of ids of 16 hexadecimal digits. */
export function createRequestIds(): () => string {
  const batch = Buffer.alloc(BATCH_BYTES);
  let at = BATCH_BYTES;
  return () => {
    if (at === BATCH_BYTES) {
      randomFillSync(batch);
      at = 0;
    }
    at += ID_BYTES;
    return batch.toString('hex', at - ID_BYTES, at);
  };
}
