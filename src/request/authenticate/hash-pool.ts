/**
 * Password hashing off the main thread: a few workers behind a bounded queue. A worker that does not come back is
 * terminated and replaced; one that has nothing to do is ended after a while, since passwords that are remembered need
 * none and each holds 9 MB. Passwords live here as long as their job, and are never logged.
 */
import { Worker } from 'node:worker_threads';
import type { Hashing } from '../../config/config.ts';
import type { HtpasswdHash } from '../../formats/htpasswd.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Log, Metrics } from '../../observe/ports.ts';
import { createFairQueue, type Party } from './fair-queue.ts';
import type { HashReply, HashRequest } from './hash-worker.ts';

export interface HashJob {
  readonly hashes: readonly HtpasswdHash[];
  readonly password: string;
  /** Who pays for it: the address, or the /64 of an IPv6 address. */
  readonly address: string;
  /** Whose turn it takes: the networks around the address, the address itself, and what parts those behind it. */
  readonly party: Party;
}

export type HashResult =
  /** `matched`: the index of the hash that fits, -1 for none. */
  | { readonly kind: 'verified'; readonly matched: number }
  /** Its deadline passed, in the queue or in the worker. */
  | { readonly kind: 'late' }
  /** The worker died or a hash could not be computed: a defect, or no memory. */
  | { readonly kind: 'failed' };

export interface HashPool {
  /**
   * Queues a job; `done` is called once, never synchronously.
   * @returns null when the queue, or the share of the address, is full and makes no room; else a function that takes the job out of the
   * queue, in which case `done` is not called. It returns false when the job runs already.
   */
  submit(job: HashJob, done: (result: HashResult) => void): (() => boolean) | null;
  /** Takes new limits over; what waits goes on waiting. */
  configure(hashing: Hashing): void;
  /** Starts one worker, so that the logins behind a start or a reload need not wait for it. */
  warmUp(): void;
  close(): Promise<void>;
}

export type HashMetrics = Pick<Metrics, 'hashQueue' | 'passwordChecked' | 'passwordHashed'>;

export interface HashPoolOptions {
  readonly hashing: Hashing;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: HashMetrics;
  readonly workerUrl?: URL;
  /** In milliseconds: how long a job may wait, and then run for each of its hashes. Default: what is configured. */
  readonly deadlineOf?: (job: HashJob, hashing: Hashing) => number;
}

interface Task {
  readonly id: number;
  readonly job: HashJob;
  readonly done: (result: HashResult) => void;
  timer: Timer;
}

interface Slot {
  readonly worker: Worker;
  task: Task | null;
  startedAt: number;
  /** Runs while there is no task. */
  idle: Timer | null;
}

/** Plenty for any hash that the parser lets through; a worker that wants more is out of its mind. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, stackSizeMb: 2 };

/** A worker is there again in some 40 ms, less than the hash takes for which it is wanted. */
const IDLE_MS = 10_000;

/**
 * The compiled worker. From source (tests, tsx) it is the one of the last build, because Node 20 cannot run TypeScript
 * in a worker thread: build first.
 */
export function defaultWorkerUrl(): URL {
  const fromSource = import.meta.url.endsWith('.ts');
  return new URL(
    fromSource ? '../../../dist/request/authenticate/hash-worker.js' : './hash-worker.js',
    import.meta.url,
  );
}

export function createHashPool({ clock, log, metrics, ...options }: HashPoolOptions): HashPool {
  const workerUrl = options.workerUrl ?? defaultWorkerUrl();
  const deadlineOf = options.deadlineOf ?? ((_: HashJob, { deadlineMs }: Hashing) => deadlineMs);
  let limits = options.hashing;
  let nextId = 1;
  let closed = false;
  const queue = createFairQueue<Task>(() => limits.queue);
  const slots = new Set<Slot>();
  /** Jobs of an address, waiting and running. */
  const shares = new Map<string, number>();

  function settle(task: Task, result: HashResult | null): void {
    task.timer.cancel();
    const { address } = task.job;
    const left = (shares.get(address) ?? 1) - 1;
    if (left === 0) shares.delete(address);
    else shares.set(address, left);
    if (result !== null) task.done(result);
  }

  function spawn(): Slot {
    const worker = new Worker(workerUrl, { name: 'promgate-hash', env: {}, resourceLimits: RESOURCE_LIMITS });
    const slot: Slot = { worker, task: null, startedAt: 0, idle: null };
    worker.unref();
    worker.on('message', (reply: HashReply) => {
      finish(slot, reply);
    });
    worker.on('error', (error) => {
      lose(slot, error);
    });
    worker.on('exit', () => {
      lose(slot, null);
    });
    slots.add(slot);
    rest(slot);
    return slot;
  }

  function rest(slot: Slot): void {
    slot.task = null;
    slot.idle = clock.after(IDLE_MS, () => {
      void retire(slot);
    });
  }

  function finish(slot: Slot, reply: HashReply): void {
    const { task } = slot;
    // What a worker has sent before it was ended still arrives.
    if (!slots.has(slot) || task?.id !== reply.id) return;
    rest(slot);
    metrics.passwordHashed((clock.monotonic() - slot.startedAt) / 1000);
    if (reply.matched === null) log.error({}, 'a password hash could not be computed');
    settle(task, reply.matched === null ? { kind: 'failed' } : { kind: 'verified', matched: reply.matched });
    dispatch();
  }

  /** The worker is gone without having been told to. */
  function lose(slot: Slot, error: Error | null): void {
    if (!slots.delete(slot)) return;
    slot.idle?.cancel();
    const { task } = slot;
    log.error({ error: error?.message ?? 'exited' }, 'password worker died');
    metrics.passwordChecked('worker_replaced');
    if (task !== null) settle(task, { kind: 'failed' });
    dispatch();
  }

  function retire(slot: Slot): Promise<unknown> {
    slots.delete(slot);
    slot.idle?.cancel();
    return slot.worker.terminate();
  }

  function run(slot: Slot, task: Task): void {
    const { hashes, password } = task.job;
    slot.idle?.cancel();
    slot.task = task;
    slot.startedAt = clock.monotonic();
    task.timer.cancel();
    // The time in the queue does not count against the worker: a healthy one would be killed under a flood.
    const deadlineMs = deadlineOf(task.job, limits);
    task.timer = clock.after(deadlineMs * Math.max(1, hashes.length), () => {
      log.warn({ deadline_ms: deadlineMs }, 'password worker is stuck and was replaced');
      metrics.passwordChecked('worker_replaced');
      void retire(slot);
      settle(task, { kind: 'late' });
      dispatch();
    });
    slot.worker.postMessage({ id: task.id, hashes, password } satisfies HashRequest);
  }

  function dispatch(): void {
    if (closed) return;
    for (const slot of slots) if (slot.task === null && slots.size > limits.workers) void retire(slot);
    while (queue.length > 0) {
      const slot = [...slots].find(({ task }) => task === null) ?? (slots.size < limits.workers ? spawn() : null);
      if (slot === null) break;
      const task = queue.shift();
      if (task !== undefined) run(slot, task);
    }
    metrics.hashQueue(queue.length);
  }

  /** Its place is another's now. */
  function displace(task: Task): void {
    metrics.passwordChecked('queue_full');
    settle(task, { kind: 'late' });
  }

  /** A full share makes room for another user or credential behind the same address. */
  function hasShare({ address, party }: HashJob): boolean {
    if ((shares.get(address) ?? 0) < limits.queuePerAddress) return true;
    const displaced = queue.displaceWithin(party, party.path.indexOf(address) + 1);
    if (displaced !== null) displace(displaced);
    return displaced !== null;
  }

  return {
    submit(job, done) {
      const { address, party } = job;
      if (closed || !hasShare(job)) return null;
      const timer = clock.after(deadlineOf(job, limits), () => {
        if (queue.remove(party, task)) settle(task, { kind: 'late' });
        metrics.hashQueue(queue.length);
      });
      const task: Task = { id: nextId++, job, done, timer };
      const { kind, displaced } = queue.push(party, task);
      if (kind === 'full') {
        timer.cancel();
        return null;
      }
      if (displaced !== null) displace(displaced);
      shares.set(address, (shares.get(address) ?? 0) + 1);
      dispatch();
      return () => {
        if (!queue.remove(party, task)) return false;
        settle(task, null);
        metrics.hashQueue(queue.length);
        return true;
      };
    },
    configure(hashing) {
      limits = hashing;
      dispatch();
    },
    warmUp() {
      if (!closed && slots.size === 0) spawn();
    },
    async close() {
      closed = true;
      for (let task = queue.shift(); task !== undefined; task = queue.shift()) settle(task, { kind: 'late' });
      const running = [...slots];
      const exits = running.map(retire);
      for (const { task } of running) if (task !== null) settle(task, { kind: 'late' });
      await Promise.all(exits);
    },
  };
}
