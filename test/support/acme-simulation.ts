/**
 * Months in the life of one certificate: the real manager over a store in memory, a CA with the limits of Let's Encrypt
 * that may be down, refuse or answer nobody, crashes in the middle of an order, and a clock that is set wrong.
 */
import { createAcmeManager } from '../../src/tls/acme/renewal.ts';
import { AcmeFailure, ISSUE_STEP } from '../../src/tls/acme/contract.ts';
import type { AcmeFailureKind, AcmeManager, Issuer, OrderRequest } from '../../src/tls/acme/contract.ts';
import { recordingLog } from '../observe/recording-log.ts';
import {
  createMint,
  createSteppingClock,
  DAY,
  directory,
  HOUR,
  memoryStore,
  MINUTE,
  noAcmeMetrics,
  settingsOf,
  settled,
  START,
  WANTED,
} from './acme-renewals.ts';

export type Fate =
  | 'issue'
  | 'crash-before-issue'
  | 'crash-after-issue'
  /** Issued, but the answer never came. */
  | 'lost'
  | AcmeFailureKind;

export interface World {
  readonly lifetime: number;
  readonly days: number;
  readonly staging?: boolean;
  readonly fallback?: boolean;
  /** Whether the CA gives renewal information at this time. */
  readonly ari?: (time: number) => boolean;
  /** What becomes of an order at this time; `count` of orders so far. */
  readonly fate: (time: number, name: string, count: number) => Fate;
  /** Clock errors: from when on, and how much it is off then in all. */
  readonly jumps?: readonly { readonly at: number; readonly by: number }[];
  readonly random?: () => number;
}

export interface Chronicle {
  /** Certificates issued, by directory, seen or not. */
  readonly issued: readonly { readonly at: number; readonly directory: string; readonly left: number | null }[];
  readonly attempts: readonly { readonly at: number; readonly directory: string; readonly fate: Fate }[];
  readonly questions: readonly number[];
  /** Hours in which there was no valid certificate after the first. */
  readonly hoursWithout: number;
  /** What a CA would have refused for its limits. */
  readonly violations: readonly string[];
  readonly errors: readonly string[];
}

const mint = createMint();

export async function simulate(world: World): Promise<Chronicle> {
  const sign = await mint;
  const clock = createSteppingClock();
  const disk = memoryStore();
  const log = recordingLog();
  const issued: { at: number; directory: string; left: number | null }[] = [];
  const attempts: { at: number; directory: string; fate: Fate }[] = [];
  const questions: number[] = [];
  const violations: string[] = [];
  const validations: { at: number; directory: string }[] = [];
  /** Certificate → its end. */
  const ends = new Map<string, number>();
  let crashed = false;
  let hoursWithout = 0;

  const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
  const within = (events: readonly { at: number; directory: string }[], url: string, ms: number): number =>
    events.filter((event) => event.directory === url && event.at > clock.trueNow() - ms).length;

  const issue = async (name: string): Promise<{ cert: string; key: string }> => {
    const now = clock.trueNow();
    if (name !== 'staging') {
      if (within(issued, name, 7 * DAY) >= 5) violations.push(`a sixth certificate in 7 days on day ${day(now)}`);
      const old = served();
      issued.push({ at: now, directory: name, left: old === null ? null : old.notAfter - now });
    }
    const made = await sign({ notBefore: now - HOUR, notAfter: now - HOUR + world.lifetime });
    ends.set(made.cert.trim(), now - HOUR + world.lifetime);
    return made;
  };

  const failValidation = (name: string): void => {
    const now = clock.trueNow();
    if (name === 'staging') return;
    if (within(validations, name, HOUR) >= 5)
      violations.push(`a sixth failed validation in an hour on day ${day(now)}`);
    validations.push({ at: now, directory: name });
  };

  const issuer: Issuer = {
    async order({ directory: { name }, progress }: OrderRequest) {
      const fate = world.fate(clock.trueNow(), name, attempts.length);
      attempts.push({ at: clock.trueNow(), directory: name, fate });
      if (fate === 'unreachable') throw new AcmeFailure('unreachable', 'no route to host');
      if (fate === 'issue' || fate === 'lost' || fate === 'crash-after-issue') {
        progress(ISSUE_STEP, '');
        const result = await issue(name);
        if (fate === 'issue') return result;
        if (fate === 'lost') throw new AcmeFailure('timeout', 'the CA did not answer');
      } else {
        failValidation(name);
      }
      if (fate === 'crash-before-issue' || fate === 'crash-after-issue') {
        crashed = true;
        return never();
      }
      const options = fate === 'rate-limited' ? { retryAfterMs: 2 * HOUR } : {};
      throw new AcmeFailure(fate, `the CA says ${fate}`, options);
    },
    async renewalInfo(_directory, cert) {
      questions.push(clock.trueNow());
      if (world.ari === undefined) return null;
      if (!world.ari(clock.trueNow())) throw new AcmeFailure('unreachable', 'no route to host');
      const notAfter = ends.get(cert.trim()) ?? 0;
      const left = world.lifetime / (world.lifetime < 10 * DAY ? 2 : 3);
      return {
        start: notAfter - left - world.lifetime / 50,
        end: notAfter - left + world.lifetime / 50,
        explanationUrl: null,
        retryAfterMs: 6 * HOUR,
      };
    },
  };
  let manager: AcmeManager;
  const boot = (): void => {
    crashed = false;
    manager = createAcmeManager({
      settings: settingsOf({
        directories: world.fallback === true ? [directory('first'), directory('second')] : [directory('first')],
        staging: world.staging === true ? directory('staging') : null,
      }),
      store: memoryStore(disk.states),
      issuer,
      clock,
      log,
      metrics: noAcmeMetrics,
      random: world.random ?? Math.random,
      onChange: () => undefined,
      predecessors: () => [],
    });
    manager.start();
  };
  const served = () => disk.states.get(WANTED.names.join(' '))?.pair ?? null;
  const jumps = [...(world.jumps ?? [])].sort((a, b) => a.at - b.at);

  boot();
  const end = START + world.days * DAY;
  for (let nextHour = START; clock.trueNow() < end;) {
    await settled(() => crashed || clock.untilTimer() !== null);
    if (crashed) {
      clock.forget();
      // A supervisor starts it again after a while.
      clock.advance(5000);
      boot();
      continue;
    }
    const step = Math.min(clock.untilTimer() ?? HOUR, Math.max(nextHour - clock.trueNow(), MINUTE));
    clock.advance(step);
    while (jumps[0] !== undefined && jumps[0].at <= clock.trueNow()) clock.jump(jumps.shift()?.by ?? 0);
    if (clock.trueNow() >= nextHour) {
      nextHour += HOUR;
      const pair = served();
      if (pair !== null && pair.notAfter <= clock.trueNow()) hoursWithout++;
    }
  }
  await manager!.close().catch(() => undefined);
  const errors = log.lines
    .filter(({ message }) => message.startsWith('certificates cannot'))
    .map(({ fields }) => fields);
  return {
    issued,
    attempts,
    questions,
    hoursWithout,
    violations,
    errors: errors.map((fields) => JSON.stringify(fields)),
  };
}

function day(time: number): string {
  return ((time - START) / DAY).toFixed(2);
}
