/**
 * Changes the configuration of a running gate. A change of the YAML applies as a whole or not at all; a changed file
 * applies alone, by group, and a bad group keeps its last good state and blocks no other. It never throws.
 */
import type { Clock } from '../lib/clock.ts';
import type { Problem } from '../lib/problem.ts';
import { CONFIG_SOURCES } from './config.ts';
import type { Config, ConfigSource } from './config.ts';
import { renderProblems, tellProblems } from './explain.ts';
import type { ToldProblem } from './explain.ts';
import { groupDigest } from './file-groups.ts';
import type { WatchedFile } from './files.ts';
import { loadConfig, loadSource } from './load.ts';
import type { Loaded, LoadFailure, LoadOptions, LoadResult } from './load.ts';
import { isError } from './parse.ts';
import { watchFiles } from './watch.ts';
import type { FileWatch } from './watch.ts';

/** certbot and Kubernetes replace certificate and key one after the other. */
const SETTLE_MS = 5000;
const SETTLE_STEP_MS = 250;
/** The trigger of a reload that nobody asked for. */
const A_CHANGE = 'a file has changed';
/** Problems in the log; the terminal shows more. */
const MOST_LOGGED = 20;

export interface ReloadResult {
  /** Everything on disk is in force. */
  readonly ok: boolean;
  /** Errors and warnings, rendered; empty when there are none. */
  readonly problems: string;
  /** Keys whose new value is in force only after a restart. */
  readonly restartNeeded: readonly string[];
}

/** The part of the log and of the metrics that is needed here. */
export interface ReloadLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ReloadMetrics {
  reloaded(source: ConfigSource, ok: boolean, atSeconds: number): void;
}

export interface ReloaderPorts {
  /** What runs already. */
  readonly initial: Loaded;
  readonly options: Pick<LoadOptions, 'listenAddresses' | 'nodeMajor' | 'reader'>;
  /** Puts a Config to work; when it throws, the old one stays. */
  apply(config: Config): void | Promise<void>;
  readonly metrics: ReloadMetrics;
  readonly log: ReloadLog;
  readonly clock: Clock;
  /** null: files are not watched, reload() alone looks at them. */
  readonly watch?: typeof watchFiles | null;
}

export interface Reloader {
  current(): Config;
  /** Looks at every file; calls queue up, and those that wait for the same turn share it. */
  reload(trigger: string): Promise<ReloadResult>;
  /** Ends the watching; a reload that has begun is finished. */
  close(): void;
}

/** One look at all files. */
interface Attempt {
  readonly outcomes: ReadonlyMap<ConfigSource, boolean>;
  readonly changed: readonly ConfigSource[];
  /** For the log, one line each. */
  readonly problems: readonly ToldProblem[];
  /** For a terminal. */
  readonly rendered: string;
  readonly settling: boolean;
  readonly files: readonly WatchedFile[];
}

export function createReloader(ports: ReloaderPorts): Reloader {
  const { initial, options, metrics, log, clock, watch = watchFiles } = ports;
  let current = initial;
  let running: Promise<unknown> = Promise.resolve();
  let waiting: Promise<ReloadResult> | null = null;
  let closed = false;
  /** What was said of the files, so that a change of one of them does not say the rest again. */
  const told = new Set(tellProblems(initial.problems ?? [], initial.config.file, initial.text).map(keyOf));

  const loadOptions = (): LoadOptions => ({
    ...options,
    clock,
    generation: current.config.generation + 1,
    previous: current.config,
  });

  /** @returns null, or why the Config could not be put to work. */
  async function putToWork(next: Loaded): Promise<Problem | null> {
    try {
      await ports.apply(next.config);
      current = next;
      return null;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : 'unknown reason';
      return { severity: 'error', message: `the new configuration could not be put to work: ${reason}` };
    }
  }

  async function attempt(): Promise<Attempt> {
    const { file } = current.config;
    const whole = await loadConfig(file, loadOptions());
    if (!whole.ok) return attemptGroups(whole);
    const changed = changesBetween(current, whole.loaded);
    // The digests of the files are new also when nothing else is.
    const fault = changed.length === 0 ? null : await putToWork(whole.loaded);
    const problems = fault === null ? whole.problems : [...whole.problems, fault];
    return {
      outcomes: new Map(CONFIG_SOURCES.map((source) => [source, fault === null])),
      changed: fault === null ? changed : [],
      problems: tellProblems(problems, file, whole.text),
      rendered: renderProblems(problems, file, whole.text),
      settling: false,
      files: whole.loaded.files,
    };
  }

  /** The YAML in force, and of each group of files what can be had. */
  async function attemptGroups(whole: LoadFailure): Promise<Attempt> {
    const { file } = current.config;
    const isNewYaml = whole.text !== current.text;
    const outcomes = new Map<ConfigSource, boolean>();
    const problems: Problem[] = [];
    let settling = whole.settling;
    let next = current;
    for (const source of CONFIG_SOURCES) {
      const result: LoadResult = await loadSource(next, source, loadOptions());
      outcomes.set(source, result.ok && !(source === 'config' && isNewYaml));
      problems.push(...result.problems);
      if (result.ok) next = result.loaded;
      else settling ||= result.settling;
    }
    const changed = changesBetween(current, next);
    const fault = changed.length === 0 ? null : await putToWork(next);
    if (fault !== null) {
      problems.push(fault);
      for (const source of changed) outcomes.set(source, false);
    }
    if (!isNewYaml && [...outcomes.values()].every(Boolean)) {
      // A file was mended between the two looks, or the machine has changed: the same YAML would not start any more.
      outcomes.set('config', false);
      settling = true;
      problems.push(...whole.problems);
    }
    const said = new Set(whole.problems.map(({ message }) => message));
    const own = isNewYaml ? problems.filter((problem) => isError(problem) && !said.has(problem.message)) : problems;
    const parts = [
      isNewYaml ? renderProblems(whole.problems, file, whole.text) : '',
      renderProblems(own, file, current.text),
    ];
    return {
      outcomes,
      changed: fault === null ? changed : [],
      problems: [
        ...(isNewYaml ? tellProblems(whole.problems, file, whole.text) : []),
        ...tellProblems(own, file, current.text),
      ],
      rendered: parts.filter((part) => part !== '').join('\n'),
      settling,
      files: [...current.files, ...whole.files],
    };
  }

  async function run(trigger: string): Promise<ReloadResult> {
    const began = clock.monotonic();
    let last = await attempt();
    const applied = new Set(last.changed);
    while (last.settling && !closed && clock.monotonic() - began < SETTLE_MS) {
      await new Promise<void>((resolve) => clock.after(SETTLE_STEP_MS, resolve));
      last = await attempt();
      for (const source of last.changed) applied.add(source);
    }
    watching?.update(last.files);
    const seconds = clock.now() / 1000;
    for (const [source, ok] of last.outcomes) metrics.reloaded(source, ok, seconds);
    return report(trigger, last, [...applied]);
  }

  function report(trigger: string, last: Attempt, changed: readonly ConfigSource[]): ReloadResult {
    const failed = [...last.outcomes].flatMap(([source, ok]) => (ok ? [] : [source]));
    const { generation, hash } = current.config;
    const restartNeeded = restartKeys(initial.config, current.config);
    const applied = changed.join(',');
    if (applied !== '') log.info({ trigger, generation, hash, applied }, 'configuration reloaded');
    else if (failed.length === 0) log.info({ trigger, generation }, 'configuration reloaded, nothing changed');
    if (failed.length > 0) log.error({ trigger, failed }, 'reload failed, the last good state stays');
    logProblems(trigger === A_CHANGE ? newOf(last.problems) : last.problems);
    told.clear();
    for (const problem of last.problems) told.add(keyOf(problem));
    if (applied !== '' && restartNeeded.length > 0)
      log.warn({ restartNeeded }, 'changed, but in force only after a restart');
    return { ok: failed.length === 0, problems: last.rendered, restartNeeded };
  }

  /** A renewal is such a change: what was said before is not said again each time. Errors always are. */
  function newOf(problems: readonly ToldProblem[]): readonly ToldProblem[] {
    return problems.filter((problem) => problem.severity === 'error' || !told.has(keyOf(problem)));
  }

  function logProblems(problems: readonly ToldProblem[]): void {
    for (const { severity, place, message, hint } of problems.slice(0, MOST_LOGGED)) {
      const fields = { place, [severity]: message, ...(hint === null ? {} : { hint }) };
      log[severity === 'error' ? 'error' : 'warn'](fields, 'reload problem');
    }
    if (problems.length > MOST_LOGGED) log.warn({ more: problems.length - MOST_LOGGED }, 'more reload problems');
  }

  async function runSafely(trigger: string): Promise<ReloadResult> {
    try {
      return await run(trigger);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : 'unknown reason';
      log.error({ trigger, reason }, 'reload failed by a defect, the last good state stays');
      metrics.reloaded('config', false, clock.now() / 1000);
      return { ok: false, problems: `${current.config.file}: error: internal error: ${reason}`, restartNeeded: [] };
    }
  }

  function reload(trigger: string): Promise<ReloadResult> {
    waiting ??= (async () => {
      await running;
      waiting = null;
      const turn = runSafely(trigger);
      running = turn;
      return turn;
    })();
    return waiting;
  }

  const watching: FileWatch | null =
    watch?.(initial.files, {
      clock,
      onChange: () => {
        void reload(A_CHANGE);
      },
    }) ?? null;

  return {
    current: () => current.config,
    reload,
    close() {
      closed = true;
      watching?.close();
    },
  };
}

function changesBetween(before: Loaded, after: Loaded): ConfigSource[] {
  return CONFIG_SOURCES.filter(
    (source) =>
      (source === 'config' && before.text !== after.text) ||
      groupDigest(before.groups, source) !== groupDigest(after.groups, source),
  );
}

function restartKeys(initial: Config, now: Config): string[] {
  const keys: string[] = [];
  const listen = ({ listen: addresses }: Config) => JSON.stringify(addresses.map(({ text }) => text));
  if (listen(initial) !== listen(now)) keys.push('listen_addresses');
  if (JSON.stringify(initial.admin.address) !== JSON.stringify(now.admin.address)) keys.push('admin_address');
  return keys;
}

function keyOf({ severity, message }: Pick<ToldProblem, 'severity' | 'message'>): string {
  return `${severity} ${message}`;
}
