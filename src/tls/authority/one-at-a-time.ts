/** Runs a piece of work never twice at once, and again for whoever asked while it ran. */

/**
 * @param work never rejects.
 * @returns asks for a run that begins now or after the present one; those who wait for the same run share it.
 */
export function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let waiting: Promise<void> | null = null;
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = null;
    });
    return running;
  };
  return () => {
    if (running === null) return start();
    waiting ??= running.then(() => {
      waiting = null;
      return start();
    });
    return waiting;
  };
}
