/** Runs in a worker thread: narrows one question or answer at a time. Never logs; keeps nothing but the rules. */
import { parentPort, workerData } from 'node:worker_threads';
import type { IdentityRule } from '../../config/config.ts';
import { yieldToRequests } from '../background-thread.ts';
import { doNarrowing } from './narrowing-job.ts';
import type { NarrowingReply, NarrowingRequest } from './narrowing-job.ts';
import { enforcementOf } from './restriction.ts';

const enforcements = (workerData as readonly IdentityRule[]).map(enforcementOf);

yieldToRequests();
parentPort?.on('message', ({ id, rule, job }: NarrowingRequest) => {
  const enforcement = enforcements[rule] ?? null;
  let reply: NarrowingReply = { id, result: null };
  try {
    if (enforcement !== null) reply = { id, result: doNarrowing(job, enforcement) };
  } catch {
    // The error could quote what a stranger wrote; the parent says that there was one.
  }
  const { result } = reply;
  const isBody = result?.kind === 'json' && result.answer.kind === 'told';
  parentPort?.postMessage(reply, isBody ? [result.answer.body.buffer as ArrayBuffer] : []);
});
