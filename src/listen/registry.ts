/** All live connections: one sweep a second for the time-outs, the judgement when the configuration changes, the end. */
import type { Config } from '../config/config.ts';
import type { Timer } from '../lib/clock.ts';
import type { DenyReason } from '../request/deny-reasons.ts';
import { heaviest, holdsTooMuch } from './header-memory.ts';
import type { HeldHeaders, InFlight, LiveConnection } from './live-connection.ts';
import type { ListenPorts } from './ports.ts';
import { certificateFields, type ReportRefusal } from './refusal-report.ts';
import { Unhurried } from './unhurried.ts';
import { verdict, type Moment } from './verdict.ts';

const SWEEP_MS = 1_000;
const STRANGER_SEND_MS = 5_000;
/** Time passes without a change of the configuration: CRLs and CAs end, host names in `allow` move. */
const JUDGE_AGAIN_MS = 30_000;
/** How long the whole of an h2 request may take to come; on HTTP/1.1 the parser sees to it. */
const REQUEST_MS = 300_000;

const HEADERS_HELD = 'too many headers of unanswered requests';

export class Registry {
  readonly #connections = new Set<LiveConnection>();
  readonly #ports: ListenPorts;
  readonly #report: ReportRefusal;
  readonly #current: () => Config;
  readonly #timer: Timer;
  readonly #unhurried: Unhurried;
  readonly #held: HeldHeaders = { bytes: 0 };
  #judgedAt: number;

  constructor(ports: ListenPorts, report: ReportRefusal, current: () => Config) {
    this.#ports = ports;
    this.#report = report;
    this.#current = current;
    this.#judgedAt = ports.clock.monotonic();
    this.#unhurried = new Unhurried(ports.clock);
    this.#timer = ports.clock.every(SWEEP_MS, () => {
      this.#sweep();
    });
  }

  add(connection: LiveConnection): void {
    connection.held = this.#held;
    this.#connections.add(connection);
    connection.socket.once('close', () => {
      this.#connections.delete(connection);
      connection.abandonAnswers();
    });
  }

  /** Judges one connection by the running configuration; one that it would not admit begins to leave. */
  judge(connection: LiveConnection): DenyReason | null {
    if (connection.leaving) return connection.leaveReason;
    const { facts } = connection;
    const config = this.#current();
    const reason = this.#ports.mayConnect(facts.peer) ?? this.#ports.judge(facts);
    if (reason === null) {
      connection.judgedUnder = config.generation;
    } else {
      this.#report(reason, facts.peer, { connection: facts.id, ...certificateFields(facts) });
      connection.leave(reason, config.drainTimeoutMs);
    }
    return reason;
  }

  judgeAll(): void {
    this.#judgedAt = this.#ports.clock.monotonic();
    for (const connection of this.#connections) this.judge(connection);
  }

  /**
   * Cuts the connection when the headers of its unanswered requests are too many, or another one when those of all are.
   * @returns whether it was this one.
   */
  isOverweight(connection: LiveConnection): boolean {
    if (holdsTooMuch(connection)) this.cut(connection, 'headers_too_large', HEADERS_HELD);
    const other = heaviest(this.#connections, this.#held.bytes);
    if (other !== null) this.cut(other, 'headers_too_large', HEADERS_HELD);
    return connection.isOver;
  }

  drainAll(ms: number): void {
    for (const connection of this.#connections) connection.drain(ms);
  }

  close(): void {
    this.#timer.cancel();
    for (const connection of this.#connections) connection.destroy();
  }

  /** Counts, logs and destroys. */
  cut(connection: LiveConnection, reason: DenyReason, detail?: string): void {
    if (connection.isOver) return;
    this.#report(reason, connection.facts.peer, {
      connection: connection.facts.id,
      ...(detail === undefined ? {} : { detail }),
    });
    connection.destroy();
  }

  #sweep(): void {
    // Until it listens there is no configuration either: the first certificate may take its time.
    if (this.#connections.size === 0) return;
    const { clock } = this.#ports;
    const now = { monotonic: clock.monotonic(), epoch: clock.now() };
    if (now.monotonic - this.#judgedAt >= JUDGE_AGAIN_MS) this.judgeAll();
    for (const connection of this.#connections) {
      this.#unhurried.do(() => {
        if (!connection.isOver) this.#look(connection, now);
      });
    }
  }

  #look(connection: LiveConnection, now: Moment): void {
    const { limits, drainTimeoutMs } = this.#current();
    connection.onSweep?.();
    const { action, ...why } = verdict(connection.state(), now, limits);
    if (action !== 'keep' && 'reason' in why) {
      this.#act(connection, action, why.reason, drainTimeoutMs);
      return;
    }
    // A refusal is short: who does not read it within this does not want it.
    const patience = connection.authenticated ? limits.sendTimeoutMs : STRANGER_SEND_MS;
    this.#cutStalled(connection, now.monotonic, Math.min(patience, limits.sendTimeoutMs));
    cutSlowBodies(connection, now.monotonic);
  }

  #act(connection: LiveConnection, action: 'leave' | 'destroy', reason: DenyReason, drainMs: number): void {
    if (action === 'destroy') {
      this.cut(connection, reason);
    } else {
      this.#report(reason, connection.facts.peer, { connection: connection.facts.id });
      connection.leave(reason, drainMs);
    }
  }

  #cutStalled(connection: LiveConnection, nowMs: number, sendTimeoutMs: number): void {
    if (connection.session === null) {
      if (connection.stall.isStalled(connection.outgoing(), nowMs, sendTimeoutMs)) this.cut(connection, 'send_timeout');
      return;
    }
    const answers = [...connection.inFlight].filter(({ stream }) => stream?.destroyed === false);
    const stalled = answers.filter((answer) => isStreamStalled(answer, nowMs, sendTimeoutMs));
    if (stalled.length === 0) return;
    // A client that reads other answers loses one stream; one that reads nothing could not even be told.
    if (stalled.length === answers.length) {
      this.cut(connection, 'send_timeout');
      return;
    }
    for (const { stream } of stalled) {
      this.#report('send_timeout', connection.facts.peer, { connection: connection.facts.id, detail: 'one h2 stream' });
      stream?.destroy(new Error('the client does not read'));
    }
  }
}

function isStreamStalled({ stream, stall, drains }: InFlight, nowMs: number, sendTimeoutMs: number): boolean {
  return (
    stream !== null && stall.isStalled({ pendingBytes: stream.writableLength, progress: drains }, nowMs, sendTimeoutMs)
  );
}

function cutSlowBodies(connection: LiveConnection, nowMs: number): void {
  for (const { stream, startedAt } of connection.inFlight) {
    if (stream === null || stream.endAfterHeaders || nowMs - startedAt < REQUEST_MS) continue;
    if (stream.state.remoteClose === 0) stream.destroy(new Error('the request body came too slowly'));
  }
}
