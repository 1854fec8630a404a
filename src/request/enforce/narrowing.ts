/**
 * Narrowing off the main thread: one worker, one job at a time, and the identities in turn. Started by the first job that
 * is worth it, ended when it has had nothing to do for a while, replaced when it does not come back.
 */
import { Worker } from 'node:worker_threads';
import type { IdentityRule } from '../../config/config.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { createTurns } from '../turns.ts';
import type { NarrowingJob, NarrowingReply, NarrowingResult } from './narrowing-job.ts';

export interface Narrowing {
  /**
   * @param size of what the job holds, in bytes
   * @param isWanted asked when its turn has come; false: the client has left
   * @param done called once, never at once; null: the worker died or did not come back
   * @returns false when too much of the identity waits already: `done` is not called
   */
  submit(
    rule: IdentityRule,
    size: number,
    job: NarrowingJob,
    isWanted: () => boolean,
    done: (result: NarrowingResult | null) => void,
  ): boolean;
  close(): Promise<void>;
}

export interface NarrowingOptions {
  /** Those whose jobs may come. */
  readonly rules: readonly IdentityRule[];
  readonly clock: Clock;
  readonly workerUrl?: URL;
}

/** Of one identity, waiting: a dashboard asks some dozens of questions at once. */
const WAITING = { jobs: 200, bytes: 33_554_432 };
/** JSON of 16 MiB, its objects and what is written of them. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };
/** A hundred times what the longest job takes. */
const DEADLINE_MS = 20_000;
const IDLE_MS = 10_000;

/** The compiled worker; from source (tests) that of the last build, because Node 20 runs no TypeScript in a worker. */
function defaultWorkerUrl(): URL {
  const fromSource = import.meta.url.endsWith('.ts');
  const path = fromSource ? '../../../dist/request/enforce/narrowing-worker.js' : './narrowing-worker.js';
  return new URL(path, import.meta.url);
}

/** Memory of the job's own goes over; a copy of 16 MiB takes some milliseconds. */
function transferable(job: NarrowingJob): ArrayBuffer[] {
  if (job.kind !== 'json') return [];
  const { buffer, byteLength } = job.bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

interface Running {
  readonly id: number;
  readonly finish: (result: NarrowingResult | null) => void;
}

export function createNarrowing({ rules, clock, workerUrl = defaultWorkerUrl() }: NarrowingOptions): Narrowing {
  const turns = createTurns(WAITING);
  let worker: Worker | null = null;
  let running: Running | null = null;
  let idle: Timer | null = null;
  let lastId = 0;
  let isClosed = false;

  function startWorker(): Worker {
    const started = new Worker(workerUrl, {
      name: 'promgate-narrow',
      env: {},
      workerData: rules,
      resourceLimits: RESOURCE_LIMITS,
    });
    started.unref();
    const lose = (): void => {
      if (worker !== started) return;
      worker = null;
      running?.finish(null);
    };
    started.on('message', ({ id, result }: NarrowingReply) => {
      if (worker === started && running?.id === id) running.finish(result);
    });
    started.on('error', lose).on('exit', lose);
    return started;
  }

  async function end(): Promise<void> {
    const ended = worker;
    worker = null;
    await ended?.terminate();
  }

  function run(rule: IdentityRule, job: NarrowingJob, finished: (result: NarrowingResult | null) => void): void {
    idle?.cancel();
    lastId += 1;
    const deadline = clock.after(DEADLINE_MS, () => {
      void end();
      running?.finish(null);
    });
    running = {
      id: lastId,
      finish(result) {
        running = null;
        deadline.cancel();
        idle = clock.after(IDLE_MS, () => void end());
        finished(result);
      },
    };
    worker ??= startWorker();
    worker.postMessage({ id: lastId, rule: rules.indexOf(rule), job }, transferable(job));
  }

  return {
    submit(rule, size, job, isWanted, done) {
      return turns.submit(rule.name, size, (next) => {
        if (isClosed || !isWanted()) {
          // In a turn of its own: hundreds may have left.
          setImmediate(next);
          return;
        }
        run(rule, job, (result) => {
          next();
          done(result);
        });
      });
    },
    async close() {
      isClosed = true;
      idle?.cancel();
      const left = running;
      await end();
      left?.finish(null);
      idle?.cancel();
    },
  };
}
