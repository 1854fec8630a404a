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
import type { Clock } from '../../../lib/clock.ts';
import { escapeNonPrintable } from '../../../lib/foreign-text.ts';
import { isDnsName } from '../../authority/names.ts';
import { AcmeFailure, type ChallengeAnswerer } from '../contract.ts';

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

/** `present` rejects with AcmeFailure `challenge` or `timeout`. Runs of the program never overlap. */
export function createDnsHookAnswerer(options: DnsHookOptions, ports: DnsHookPorts): ChallengeAnswerer {
  const { hook, propagationMs, deadlineMs = DEADLINE_MS } = options;
  let turn: Promise<void> = Promise.resolve();
  const inTurn = async (action: Action, domain: string, value: string): Promise<void> => {
    const mine = turn.then(() => runHook(hook, action, domain, value, deadlineMs, ports));
    turn = mine.catch(() => undefined);
    await mine;
  };
  return {
    async present({ identifier, keyAuthorization }) {
      const domain = identifier.toLowerCase().replace(/^\*\./, '');
      if (domain.startsWith('*') || !isDnsName(`_acme-challenge.${domain}`)) {
        throw new AcmeFailure('challenge', 'dns-01 cannot prove what is no DNS name');
      }
      const value = createHash('sha256').update(keyAuthorization).digest('base64url');
      try {
        await inTurn('present', domain, value);
      } catch (error) {
        // A program that failed half-way may have left the record there.
        await inTurn('cleanup', domain, value).catch(() => undefined);
        throw error;
      }
      await new Promise<void>((resolve) => {
        ports.clock.after(propagationMs, resolve, { ref: true });
      });
      return () => inTurn('cleanup', domain, value);
    },
  };
}

async function runHook(
  hook: string,
  action: Action,
  domain: string,
  value: string,
  deadlineMs: number,
  { clock, environment, killGroup }: DnsHookPorts,
): Promise<void> {
  const recordName = `_acme-challenge.${domain}`;
  const what = `the dns-01 hook ${hook} (${action} ${domain})`;
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
      child.stdout.destroy();
      child.stderr.destroy();
      if (failure === null) resolve();
      else reject(failure);
    };
    const timer = clock.after(
      deadlineMs,
      () => {
        if (child.pid !== undefined) killGroup(child.pid);
        end(new AcmeFailure('timeout', `${what} did not end within ${Math.round(deadlineMs / 1000)} s and was killed`));
      },
      { ref: true },
    );
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
