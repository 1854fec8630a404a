/**
 * Answers dns-01 (RFC 8555 §8.4) by a program of the operator, which knows their DNS. It is started without a shell, as
 *
 *     HOOK present|cleanup DOMAIN RECORD_NAME VALUE
 *
 * with the same in PROMGATE_DNS_ACTION, PROMGATE_DNS_DOMAIN, PROMGATE_DNS_RECORD_NAME (`_acme-challenge.` and the
 * domain, no dot at the end) and PROMGATE_DNS_VALUE. A record may have several values at once (`example.com` and
 * `*.example.com` share one): `present` adds its value, `cleanup` removes that one. Exit code 0 means done.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { escapeNonPrintable } from '../../../lib/foreign-text.ts';
import { isDnsName } from '../../authority/names.ts';
import { AcmeFailure, ENDING_MS, type ChallengeAnswerer } from '../contract.ts';
import { pauseFor } from '../transport.ts';

const DEADLINE_MS = 120_000;
/** How much of its output is kept for a message; the rest is read and thrown away. */
const LONGEST_OUTPUT = 500;
const LAST_WORDS_MS = 500;

export interface DnsHookPorts {
  readonly clock: Clock;
  /** All that the program sees beside PROMGATE_DNS_*: `PATH` and `HOME`, no secret of the gate. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends a process group (kill(2) with -pid, SIGKILL): what the hook started goes with it. Must not throw. */
  readonly killGroup: (pid: number) => void;
}

export interface DnsHookOptions {
  /** Path of the program. */
  readonly hook: string;
  /** How long a new record takes to be seen everywhere. */
  readonly propagationMs: number;
  /** Milliseconds for one run; default two minutes. */
  readonly deadlineMs?: number;
}

type Action = 'present' | 'cleanup';

/**
 * `present` rejects with AcmeFailure `challenge` or `timeout`. Runs of the program never overlap. When the order is ended,
 * a `present` is killed, nobody waits for records to spread, and all that is cleaned up has `ENDING_MS` together.
 */
export function createDnsHookAnswerer(options: DnsHookOptions, ports: DnsHookPorts): ChallengeAnswerer {
  const { hook, propagationMs, deadlineMs = DEADLINE_MS } = options;
  let turn: Promise<void> = Promise.resolve();
  return {
    async present({ identifier, keyAuthorization }, signal = new AbortController().signal) {
      const domain = identifier.toLowerCase().replace(/^\*\./, '');
      if (domain.startsWith('*') || !isDnsName(`_acme-challenge.${domain}`)) {
        throw new AcmeFailure('challenge', 'dns-01 cannot prove what is no DNS name');
      }
      const value = createHash('sha256').update(keyAuthorization).digest('base64url');
      const ending = watchEnding(signal, ports.clock);
      const run = async (action: Action, leftMs: () => number): Promise<void> => {
        const mine = turn.then(() => runHook({ hook, action, domain, value, ending, leftMs }, ports));
        turn = mine.catch(() => undefined);
        await mine;
      };
      const seen = { isStarted: false };
      const present = (): number => {
        if (ending.isOver()) return 0;
        seen.isStarted = true;
        return deadlineMs;
      };
      const cleanup = (): Promise<void> => run('cleanup', () => Math.min(deadlineMs, ending.leftMs()));
      try {
        await run('present', present);
        await pauseFor(ports.clock, propagationMs, signal);
      } catch (error) {
        // A program that failed half-way may have left the record there.
        if (seen.isStarted) await cleanup().catch(() => undefined);
        throw error;
      }
      return cleanup;
    },
  };
}

interface Ending {
  isOver(): boolean;
  /** Until everything has to be done; Infinity while the order goes on. */
  leftMs(): number;
  /** Calls back when the order is ended. @returns what takes that back. */
  onEnd(callback: () => void): () => void;
}

function watchEnding(signal: AbortSignal, clock: Clock): Ending {
  let endedAt = signal.aborted ? clock.monotonic() : null;
  signal.addEventListener('abort', () => (endedAt ??= clock.monotonic()), { once: true });
  return {
    isOver: () => signal.aborted,
    leftMs: () => (endedAt === null ? Infinity : Math.max(0, endedAt + ENDING_MS - clock.monotonic())),
    onEnd(callback) {
      signal.addEventListener('abort', callback, { once: true });
      return () => {
        signal.removeEventListener('abort', callback);
      };
    },
  };
}

interface HookRun {
  readonly hook: string;
  readonly action: Action;
  readonly domain: string;
  readonly value: string;
  readonly ending: Ending;
  /** Asked when its turn has come, and again when the order is ended; 0: it is not started. */
  readonly leftMs: () => number;
}

async function runHook(run: HookRun, { clock, environment, killGroup }: DnsHookPorts): Promise<void> {
  const { hook, action, domain, value, ending, leftMs } = run;
  const recordName = `_acme-challenge.${domain}`;
  const what = `the dns-01 hook ${hook} (${action} ${domain})`;
  const deadlineMs = leftMs();
  if (deadlineMs <= 0) throw new AcmeFailure('timeout', `${what} was not run: the order was ended`);
  await new Promise<void>((resolve, reject) => {
    const child = spawn(hook, [action, domain, recordName, value], {
      shell: false,
      // A process group of its own, so that everything it starts can be ended with it.
      detached: true,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...environment,
        PROMGATE_DNS_ACTION: action,
        PROMGATE_DNS_DOMAIN: domain,
        PROMGATE_DNS_RECORD_NAME: recordName,
        PROMGATE_DNS_VALUE: value,
      },
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      if (output.length < LONGEST_OUTPUT) output += chunk.toString('utf8').slice(0, LONGEST_OUTPUT - output.length);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let isOver = false;
    const end = (failure: AcmeFailure | null): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      forget();
      child.stdout.destroy();
      child.stderr.destroy();
      if (failure === null) resolve();
      else reject(failure);
    };
    const kill = (why: string): void => {
      if (child.pid !== undefined) killGroup(child.pid);
      end(new AcmeFailure('timeout', `${what} ${why} and was killed`));
    };
    const within = (ms: number): Timer =>
      clock.after(
        ms,
        () => {
          kill(`did not end within ${Math.round(ms / 1000)} s`);
        },
        { ref: true },
      );
    let timer = within(deadlineMs);
    const forget = ending.onEnd(() => {
      const left = leftMs();
      timer.cancel();
      if (left <= 0) kill('was not done when the order was ended');
      else timer = within(left);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      end(new AcmeFailure('challenge', `${what} cannot be started: ${error.code ?? 'unknown error'}`));
    });
    const judge = (code: number | null, signal: NodeJS.Signals | null): void => {
      const words = escapeNonPrintable(output.trim().replace(/\s+/g, ' '));
      const how = code === null ? `was ended by ${String(signal)}` : `failed with code ${code}`;
      end(code === 0 ? null : new AcmeFailure('challenge', `${what} ${how}${words === '' ? '' : `: ${words}`}`));
    };
    child.once('close', judge);
    child.once('exit', (code, signal) => {
      // Something that it left running may hold its output open; the program itself is done.
      clock.after(LAST_WORDS_MS, () => {
        judge(code, signal);
      });
    });
  });
}
