/** Workers that misbehave on demand, in place of the one that hashes. */

export function workerOf(script: string): URL {
  const source = `import { parentPort, threadId } from 'node:worker_threads';\n${script}`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

/**
 * Answers by the password: `right` fits the first line, `right2` the second; `hang` never comes back; `die` ends the
 * thread; `broken` could not be computed; everything else is wrong.
 */
export const obedientWorker = workerOf(`
  parentPort.on('message', ({ id, hashes, password }) => {
    if (password === 'hang') for (;;);
    if (password === 'die') throw new Error('died');
    const matched = password === 'broken' ? null : password === 'right' ? 0 : password === 'right2' ? 1 : -1;
    parentPort.postMessage({ id, matched: matched === null || matched < hashes.length ? matched : -1 });
  });
`);

/** Tells on a BroadcastChannel how many hashes each job has; nothing ever fits. */
export function countingWorker(channel: string): URL {
  return workerOf(`
    const channel = new BroadcastChannel(${JSON.stringify(channel)});
    parentPort.on('message', ({ id, hashes, password }) => {
      channel.postMessage({ password, schemes: hashes.map(({ scheme }) => scheme) });
      parentPort.postMessage({ id, matched: -1 });
    });
  `);
}
