/** Jobs of several parties: one runs at a time, and the parties take turns, so that one that floods waits behind itself. */

export interface Turns {
  /**
   * @param size what the job holds while it waits, in bytes
   * @param start called when it is its turn, never at once for a second job; `done` lets the next one begin
   * @returns false when too much of the party waits already: the job is not taken
   */
  submit(party: string, size: number, start: (done: () => void) => void): boolean;
}

export interface TurnLimits {
  /** Of one party, waiting. */
  readonly jobs: number;
  readonly bytes: number;
}

interface Waiting {
  readonly size: number;
  readonly start: (done: () => void) => void;
}

export function createTurns(limits: TurnLimits): Turns {
  /** A Map keeps the order of insertion: the first party is the next. */
  const waiting = new Map<string, { readonly jobs: Waiting[]; bytes: number }>();
  let isRunning = false;

  function runNext(): void {
    const [next] = waiting;
    if (next === undefined) {
      isRunning = false;
      return;
    }
    isRunning = true;
    const [party, queue] = next;
    waiting.delete(party);
    const job = queue.jobs.shift();
    queue.bytes -= job?.size ?? 0;
    // Behind all others.
    if (queue.jobs.length > 0) waiting.set(party, queue);
    job?.start(once(runNext));
  }

  return {
    submit(party, size, start) {
      const queue = waiting.get(party) ?? { jobs: [], bytes: 0 };
      if (isRunning && (queue.jobs.length >= limits.jobs || queue.bytes + size > limits.bytes)) return false;
      queue.jobs.push({ size, start });
      queue.bytes += size;
      waiting.set(party, queue);
      if (!isRunning) runNext();
      return true;
    },
  };
}

function once(call: () => void): () => void {
  let isCalled = false;
  return () => {
    if (isCalled) return;
    isCalled = true;
    call();
  };
}
