/**
 * Proves to the CA that the names are ours: presents every answer, asks the CA to look, waits for its verdict, and takes
 * every answer away again, however it ended. Never looks at its own answers: this host may not see itself as the CA does.
 */
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { normalizeAddress } from '../../formats/address.ts';
import { AcmeFailure, ENDING_MS, type ChallengeAnswerer, type WantedCertificate } from './contract.ts';
import type { AcmeSession } from './acme-library.ts';
import { caText, describeProblem } from './problem-document.ts';
import { readAuthorization, type AuthorizationDocument, type ChallengeDocument } from './order-document.ts';
import { pauseFor } from './transport.ts';
import { isToken } from './challenges/token.ts';

export type ChallengeType = 'http-01' | 'tls-alpn-01' | 'dns-01';

const VALIDATION_MS = 180_000;
const SHORTEST_POLL_MS = 1_000;
const LONGEST_POLL_MS = 10_000;

export interface AuthorizationPorts {
  readonly session: AcmeSession;
  readonly answerer: ChallengeAnswerer;
  readonly type: ChallengeType;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What the CA's last answer wished for, in milliseconds. */
  readonly retryAfterMs: () => number | null;
  readonly progress: (step: string, detail: string) => void;
}

interface Pending {
  readonly authorization: AuthorizationDocument;
  readonly challenge: ChallengeDocument;
}

/** @throws {AcmeFailure} */
export async function proveNames(
  urls: readonly string[],
  wanted: WantedCertificate,
  ports: AuthorizationPorts,
): Promise<void> {
  const authorizations = [];
  for (const url of urls) authorizations.push(await readOne(ports.session, url));
  const pending = authorizations
    .filter(({ status }) => status !== 'valid')
    .map((authorization) => choose(authorization, wanted, ports.type));
  const presented = await presentAll(pending, ports);
  try {
    if (presented.failure !== null) throw presented.failure;
    for (const { challenge } of pending) {
      await ports.session.call((client) => client.completeChallenge({ url: challenge.url }));
    }
    for (const entry of pending) await awaitVerdict(entry, ports);
  } finally {
    await takeAway(presented.removals, ports);
  }
}

async function readOne(session: AcmeSession, url: string): Promise<AuthorizationDocument> {
  const [answer] = await session.call((client) => client.getAuthorizations({ authorizations: [url] }));
  return { ...readAuthorization(answer), url };
}

/** What the CA sends is used in paths, records and arguments: only names that were ordered, only tokens that are some. */
function choose(authorization: AuthorizationDocument, wanted: WantedCertificate, type: ChallengeType): Pending {
  const { identifier, challenges, status } = authorization;
  const name = caText(identifier.value);
  if (!isWanted(identifier, wanted))
    throw new AcmeFailure('garbage', `the CA wants a proof for ${name}, which was not ordered`);
  if (status !== 'pending')
    throw new AcmeFailure('challenge', `the CA's authorization of ${name} is ${caText(status)}`);
  const challenge = challenges.find((offered) => offered.type === type);
  if (challenge === undefined) {
    const offered = caText(challenges.map((one) => one.type).join(', '));
    throw new AcmeFailure('challenge', `the CA does not prove ${name} by ${type}, only by ${offered || 'nothing'}`);
  }
  if (!isToken(challenge.token)) throw new AcmeFailure('garbage', 'the CA gave a token that is none');
  return { authorization, challenge };
}

function isWanted({ type, value }: AuthorizationDocument['identifier'], { names }: WantedCertificate): boolean {
  if (type === 'ip')
    return names.some((name) => normalizeAddress(name) === normalizeAddress(value) && normalizeAddress(value) !== null);
  const name = value.toLowerCase();
  return type === 'dns' && names.some((one) => one.toLowerCase().replace(/^\*\./, '') === name);
}

interface Presented {
  readonly removals: readonly (() => Promise<void>)[];
  readonly failure: AcmeFailure | null;
}

/** At once: each may have to wait for its record to spread. Waits for all of them, so that all can be taken away. */
async function presentAll(pending: readonly Pending[], ports: AuthorizationPorts): Promise<Presented> {
  const { session, answerer, signal, type } = ports;
  const running = pending.map(async ({ authorization: { identifier }, challenge }) => {
    ports.progress('challenge', `presenting the answer to ${type} for ${identifier.value}`);
    const keyAuthorization = await session.call((client) =>
      // The library hashes it for dns-01; the answerers want it as RFC 8555 §8.1 has it.
      client.getChallengeKeyAuthorization({ type: 'http-01', token: challenge.token }),
    );
    const { token } = challenge;
    return answerer.present({ type, identifier: identifier.value, token, keyAuthorization }, signal);
  });
  const settled = Promise.allSettled(running);
  const outcome = (await orAborted(settled, signal)) ?? (await within(ENDING_MS, settled, ports.clock));
  if (outcome === null) {
    // Whatever is presented after all is taken away when it is there; nobody waits for it.
    void settled.then((late) => takeAway(removalsOf(late), ports));
    return { removals: [], failure: abortReason(signal) };
  }
  if (signal.aborted) return { removals: removalsOf(outcome), failure: abortReason(signal) };
  const failed = outcome.find((result) => result.status === 'rejected');
  return {
    removals: removalsOf(outcome),
    failure: failed === undefined ? null : presentFailure(failed.reason),
  };
}

function removalsOf(results: readonly PromiseSettledResult<() => Promise<void>>[]): (() => Promise<void>)[] {
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** @returns null when the order was ended first. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return null;
  let onAbort = (): void => undefined;
  const aborted = new Promise<null>((resolve) => {
    onAbort = () => {
      resolve(null);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What it comes to if it is soon; null: it takes longer. */
function within<T>(ms: number, work: Promise<T>, clock: Clock): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(
      ms,
      () => {
        resolve(null);
      },
      { ref: true },
    );
    work.then(resolve, reject).finally(() => {
      timer.cancel();
    });
  });
}

async function awaitVerdict({ authorization, challenge }: Pending, ports: AuthorizationPorts): Promise<void> {
  const { session, clock, signal, progress } = ports;
  const { value } = authorization.identifier;
  const until = clock.monotonic() + VALIDATION_MS;
  progress('validation', `the CA looks at ${value}`);
  for (let pause = SHORTEST_POLL_MS / 4; ; pause = Math.min(pause * 2, LONGEST_POLL_MS / 2)) {
    const now = await readOne(session, authorization.url);
    if (now.status === 'valid') return;
    if (now.status !== 'pending') {
      const words = now.challenges.find(({ url }) => url === challenge.url)?.error;
      throw new AcmeFailure(
        'challenge',
        `the CA could not verify ${value}: ${describeProblem(words) ?? caText(now.status)}`,
      );
    }
    if (clock.monotonic() > until) {
      throw new AcmeFailure('timeout', `the CA did not verify ${value} within ${VALIDATION_MS / 1000} s`);
    }
    await pauseFor(clock, Math.min(Math.max(ports.retryAfterMs() ?? pause, pause), LONGEST_POLL_MS), signal);
  }
}

/**
 * What cannot be taken away is told and does no harm: it answers a challenge that is over. Once the order was ended it is
 * waited for no longer than `ENDING_MS`.
 */
async function takeAway(
  removals: readonly (() => Promise<void>)[],
  { progress, signal, clock }: AuthorizationPorts,
): Promise<void> {
  const all = Promise.allSettled(removals.map((remove) => remove()));
  const results = (await orAborted(all, signal)) ?? (await within(ENDING_MS, all, clock)) ?? [];
  for (const result of results) {
    if (result.status === 'rejected') progress('cleanup', presentFailure(result.reason).message);
  }
}

function presentFailure(error: unknown): AcmeFailure {
  if (error instanceof AcmeFailure) return error;
  if (error instanceof PromgateError) {
    const hint = error.hint === undefined ? '' : `; ${error.hint}`;
    return new AcmeFailure('challenge', `${error.message}${hint}`, { cause: error });
  }
  const words = caText(error instanceof Error ? error.message : 'unknown error');
  return new AcmeFailure('challenge', `the challenge cannot be answered: ${words}`, { cause: error });
}

function abortReason(signal: AbortSignal): AcmeFailure {
  const reason: unknown = signal.reason;
  return reason instanceof AcmeFailure ? reason : new AcmeFailure('timeout', 'the order was ended');
}
