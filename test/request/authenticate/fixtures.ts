/** What tests of authenticate share: users, attempts, certificates and connections that exist on paper only. */
import { createHash } from 'node:crypto';
import { hashSync } from 'bcryptjs';
import { expect } from 'vitest';
import type { Config, UserLine, Users } from '../../../src/config/config.ts';
import { createAddressSet, parseCidr, type AddressSet } from '../../../src/formats/address-set.ts';
import { credentialId, parseHash } from '../../../src/formats/htpasswd.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { noMetrics, type Metrics } from '../../../src/observe/ports.ts';
import type { CheckOutcome, PasswordCheck } from '../../../src/request/authenticate/password-check.ts';
import type { PresentedCertificate, TlsFacts } from '../../../src/request/connection.ts';
import type { SubjectAltNames, VerifiedCertificate } from '../../../src/request/identity.ts';

export function addresses(...texts: readonly string[]): AddressSet {
  return createAddressSet(
    texts.map((text) => {
      const cidr = parseCidr(text);
      if (!cidr.ok) throw new Error(cidr.message);
      return cidr.value;
    }),
  );
}

export function lineOf(user: string, hashText: string): UserLine {
  const hash = parseHash(hashText);
  if (!hash.ok) throw new Error(hash.message);
  return { id: credentialId(user, hashText), hash: hash.value };
}

/** Cheap to verify: what is tested is what surrounds the hash. */
export function shaLine(user: string, password: string): UserLine {
  return lineOf(user, `{SHA}${createHash('sha1').update(password).digest('base64')}`);
}

export function bcryptLine(user: string, password: string, cost: number): UserLine {
  return lineOf(user, hashSync(password, cost));
}

export function usersOf(passwords: Readonly<Record<string, readonly string[]>>): Users {
  return new Map(
    Object.entries(passwords).map(([user, all]) => [user, all.map((password) => shaLine(user, password))]),
  );
}

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly address?: string;
  readonly config: Config;
}

/** One login, to its end. */
export function login(check: PasswordCheck, { address = '192.0.2.1', ...attempt }: Login): Promise<CheckOutcome> {
  return new Promise((resolve) => {
    check.check({ ...attempt, address }, resolve);
  });
}

/** Says nothing but the reason: `right` or why it was refused. */
export async function verdict(check: PasswordCheck, attempt: Login): Promise<string> {
  const outcome = await login(check, attempt);
  return outcome.kind === 'right' ? 'right' : outcome.reason;
}

/** Metrics that count what the password check says of itself; `computed` is the number of jobs that a worker did. */
export function countingMetrics(): Metrics & { readonly counts: Map<string, number>; lockouts: number } {
  const counts = new Map<string, number>();
  const add = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  return {
    ...noMetrics,
    counts,
    lockouts: 0,
    passwordChecked: add,
    passwordHashed: () => {
      add('computed');
    },
    lockedOut: () => {
      add('locked_out');
    },
    lockoutsActive(count) {
      this.lockouts = count;
    },
  };
}

/** Time as it is, except for what a test moves on. */
export function shiftedClock(base: Clock): Clock & { advance(ms: number): void } {
  let shift = 0;
  let passed = 0;
  return {
    ...base,
    now: () => base.now() + shift,
    monotonic: () => base.monotonic() + passed,
    advance(ms) {
      shift += ms;
      // The time of day can be set back; the other time never is.
      passed += Math.max(0, ms);
    },
  };
}

export const NO_SANS: SubjectAltNames = { dns: [], email: [], uri: [], ip: [] };

export function holder(sans: Partial<SubjectAltNames>, commonName: string | null = null): VerifiedCertificate {
  return {
    name: sans.dns?.[0] ?? commonName ?? '',
    serial: '1001',
    spkiHash: '',
    commonName,
    sans: { ...NO_SANS, ...sans },
  };
}

export function presented(changes: Partial<PresentedCertificate> = {}): PresentedCertificate {
  return {
    subject: 'CN=master',
    commonName: 'master',
    sans: NO_SANS,
    serial: '1001',
    spkiHash: 'ab'.repeat(32),
    notAfter: Date.UTC(2027, 0, 1),
    verifyError: null,
    chain: [],
    ...changes,
  };
}

export function tlsFacts(certificate: PresentedCertificate | null, certificateRequested = true): TlsFacts {
  return { protocol: 'TLSv1.3', alpn: 'http/1.1', servername: null, certificateRequested, certificate };
}

export function expectRefused(outcome: CheckOutcome): Extract<CheckOutcome, { kind: 'refused' }> {
  expect(outcome.kind).toBe('refused');
  if (outcome.kind !== 'refused') throw new Error('not refused');
  return outcome;
}
