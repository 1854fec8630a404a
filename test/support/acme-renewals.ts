/** A CA that issues real certificates in no time, a store in memory, and a clock that a test moves: for the renewals. */
import { webcrypto } from 'node:crypto';
import type { X509Certificate } from '@peculiar/x509';
import type { KeyPair } from '../../src/config/config.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { importSigningKeys } from '../../src/tls/authority/keys.ts';
import { loadX509 } from '../../src/tls/authority/x509-library.ts';
import type {
  AcmeDirectory,
  AcmeMetrics,
  AcmeSettings,
  CertificateState,
  StateStore,
  WantedCertificate,
} from '../../src/tls/acme/contract.ts';
import { makeKey } from '../../src/tls/acme/key-and-request.ts';
import { readPair } from '../../src/tls/acme/pair.ts';
import { EMPTY_STATE } from '../../src/tls/acme/state.ts';
import { createFakeClock } from './fake-clock.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const START = Date.UTC(2026, 0, 1);

export const WANTED: WantedCertificate = { names: ['gate.example.com'], keyType: 'p256', profile: null };

export function directory(name: string): AcmeDirectory {
  return { url: `https://${name}.example/directory`, name, ca: null, externalAccount: null };
}

export function settingsOf(some: Partial<AcmeSettings> = {}): AcmeSettings {
  return {
    directories: [directory('first')],
    staging: null,
    email: null,
    certificates: [WANTED],
    challenge: { kind: 'tls-alpn-01' },
    stateDirectory: '/nowhere',
    ...some,
  };
}

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** A factory of real certificates that all have one key: nobody looks whether it is new. */
export async function createMint(): Promise<
  (validity: { names?: readonly string[]; notBefore: number; notAfter: number }) => Promise<Issued>
> {
  const library = await loadX509();
  const key = await makeKey('p256');
  const keys = await importSigningKeys(key);
  const authority = await library.AuthorityKeyIdentifierExtension.create(keys.pair.publicKey);
  let serial = 1;
  return async ({ names = WANTED.names, notBefore, notAfter }) => {
    const certificate: X509Certificate = await library.X509CertificateGenerator.create(
      {
        subject: 'CN=leaf',
        issuer: 'CN=Test CA',
        serialNumber: (serial++).toString(16).padStart(8, '0'),
        notBefore: new Date(notBefore),
        notAfter: new Date(notAfter),
        publicKey: keys.pair.publicKey,
        signingKey: keys.pair.privateKey,
        signingAlgorithm: keys.signing,
        extensions: [
          new library.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
          authority,
        ],
      },
      webcrypto,
    );
    return { cert: `${certificate.toString('pem')}\n`, key };
  };
}

export function pairOf(issued: Issued, name = 'gate.example.com'): KeyPair {
  const pair = readPair(issued.cert, issued.key, name);
  if (!pair.ok) throw new Error(pair.message);
  return pair.value;
}

export interface MemoryStore extends StateStore {
  readonly states: Map<string, CertificateState>;
  /** Set: every write rejects with it. */
  broken: Error | null;
  writes: number;
}

/** What is on a disk: other stores over the same `states` are other processes. */
export function memoryStore(states = new Map<string, CertificateState>()): MemoryStore {
  const nameOf = ({ names }: WantedCertificate): string => names.join(' ');
  const accounts = new Map<string, string>();
  const store: MemoryStore = {
    states,
    broken: null,
    writes: 0,
    open: () => Promise.resolve(),
    read: (wanted) => Promise.resolve(states.get(nameOf(wanted)) ?? EMPTY_STATE),
    write(wanted, state) {
      if (store.broken !== null) return Promise.reject(store.broken);
      store.writes++;
      states.set(nameOf(wanted), state);
      return Promise.resolve();
    },
    readAccountKey: (url) => Promise.resolve(accounts.get(url) ?? null),
    writeAccountKey: (url, key) => Promise.resolve(accounts.get(url) ?? (accounts.set(url, key), key)),
    exclusively: (_wanted, _signal, work) => work(),
  };
  return store;
}

export const noAcmeMetrics: AcmeMetrics = {
  attempt: () => undefined,
  nextRenewal: () => undefined,
  ariWindow: () => undefined,
  selfSigned: () => undefined,
};

export interface SteppingClock extends Clock {
  /** The true time, which nobody can set. */
  trueNow(): number;
  /** Sets the clock of the host wrong by so much. */
  jump(ms: number): void;
  /** Milliseconds to the next timer; null: none is set. */
  untilTimer(): number | null;
  advance(ms: number): void;
  /** Timers set so far are for a process that is gone. */
  forget(): void;
}

/** The fake clock of the house, with a wall clock that can be set wrong and a look at the next timer. */
export function createSteppingClock(): SteppingClock {
  const fake = createFakeClock(START);
  let offset = 0;
  let timers = new Map<object, number>();
  return {
    ...fake,
    now: () => fake.now() + offset,
    trueNow: () => fake.now(),
    jump(ms) {
      offset += ms;
    },
    after(ms, callback) {
      const mine = timers;
      const key = {};
      mine.set(key, fake.monotonic() + ms);
      const timer = fake.after(ms, () => {
        if (!mine.delete(key) || mine !== timers) return;
        callback();
      });
      return {
        cancel() {
          mine.delete(key);
          timer.cancel();
        },
      };
    },
    untilTimer() {
      return timers.size === 0 ? null : Math.max(0, Math.min(...timers.values()) - fake.monotonic());
    },
    forget() {
      timers = new Map();
    },
  };
}

/** Lets everything run that needs no timer, until the manager sleeps again; real keys are made meanwhile. */
export async function settled(isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error('it did not come to rest');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
