/** Wires what looks after the certificates of one `acme` section: state, issuer, challenge and the keeper itself. */
import { lstat } from 'node:fs/promises';
import type { AcmeSettings, KeyPair } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import type { AccountStore } from '../../tls/acme/account.ts';
import { createAnswerer } from '../../tls/acme/challenges/answerer.ts';
import type { ConfiguredChallenge } from '../../tls/acme/challenges/answerer.ts';
import { AcmeFailure } from '../../tls/acme/contract.ts';
import type {
  AcmeDirectory,
  AcmeManager,
  AcmeMetrics,
  Issuer,
  Log,
  StateStore,
  WantedCertificate,
} from '../../tls/acme/contract.ts';
import { createIssuer } from '../../tls/acme/issuer.ts';
import { nameOf } from '../../tls/acme/pair.ts';
import { createAcmeManager } from '../../tls/acme/renewal.ts';
import { createStateStore } from '../../tls/acme/store.ts';
import { processIdentity } from './process-identity.ts';

/** Hears what is done, step by step, for a person who waits. */
export type Tell = (step: string, detail: string) => void;

export interface AcmeService {
  readonly settings: AcmeSettings;
  readonly manager: AcmeManager;
  readonly tlsAlpn: ConfiguredChallenge['tlsAlpn'];
  /** Orders now. @throws {AcmeFailure | PromgateError} */
  renew(name: string | null, tell: Tell): Promise<void>;
  /** Orders from the staging directory and throws the certificate away. @throws {AcmeFailure | PromgateError} also without one */
  rehearse(name: string | null, tell: Tell): Promise<void>;
  close(): Promise<void>;
}

export interface AcmeServicePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AcmeMetrics;
  onChange(pairs: readonly KeyPair[]): void;
  /** What may be served until the CA has issued; absent: nothing. */
  predecessors?(): readonly KeyPair[];
}

/** Does nothing before `manager.open`. */
export async function createAcmeService(settings: AcmeSettings, ports: AcmeServicePorts): Promise<AcmeService> {
  const { clock, log, metrics } = ports;
  const store = await openStore(settings, ports);
  const challenge = createAnswerer(settings.challenge, { clock, environment: hookEnvironment(), killGroup });
  const listeners = new Set<Tell>();
  const plain = createIssuer({ clock, accounts: store, email: settings.email, challenge });
  const issuer: Issuer = {
    order: (request) =>
      plain.order({
        ...request,
        progress(step, detail) {
          request.progress(step, detail);
          for (const tell of listeners) tell(step, detail);
        },
      }),
    renewalInfo: (directory, cert) => plain.renewalInfo(directory, cert),
  };
  const manager = createAcmeManager({
    settings,
    store,
    issuer,
    clock,
    log,
    metrics,
    random: () => Math.random(),
    predecessors: () => ports.predecessors?.() ?? [],
    onChange(pairs) {
      ports.onChange(pairs);
    },
  });
  const ended = new AbortController();
  const rehearsal = createIssuer({ clock, accounts: lent(store), email: settings.email, challenge });

  const listening = async (tell: Tell, work: () => Promise<void>): Promise<void> => {
    listeners.add(tell);
    try {
      await work();
    } finally {
      listeners.delete(tell);
    }
  };

  const rehearseOne = async (staging: AcmeDirectory, wanted: WantedCertificate, tell: Tell): Promise<void> => {
    const { signal } = ended;
    const order = async (): Promise<boolean> => {
      await rehearsal.order({ directory: staging, wanted, replaces: null, signal, progress: tell });
      return true;
    };
    // Where there is no directory nobody else works on it either, and none is made for this.
    const isKept = (await lstat(settings.stateDirectory).catch(() => null)) !== null;
    const done = isKept ? await store.exclusively(wanted, signal, order) : await order();
    if (done === null) throw new AcmeFailure('timeout', 'another process works on this certificate');
    tell('done', `${staging.name} issued ${nameOf(wanted)}; the certificate was thrown away`);
  };

  return {
    settings,
    manager,
    tlsAlpn: challenge.tlsAlpn,
    renew: (name, tell) => listening(tell, () => manager.renew(name)),
    async rehearse(name, tell) {
      const staging = rehearsalDirectory(settings);
      const all = wantedBy(settings, name);
      if (staging === null) throw noRehearsal(settings, all, tell);
      for (const wanted of all) await rehearseOne(staging, wanted, tell);
    },
    async close() {
      ended.abort();
      await manager.close();
    },
  };
}

/** A staging directory itself may be asked: what it issues proves nothing to anybody. */
function rehearsalDirectory({ staging, directories: [first] }: AcmeSettings): AcmeDirectory | null {
  return staging ?? (first?.name === 'letsencrypt-staging' ? first : null);
}

/** Says what would be asked, and that it was not: whoever looks at the exit code alone must not take it for a proof. */
function noRehearsal({ directories }: AcmeSettings, all: readonly WantedCertificate[], tell: Tell): PromgateError {
  const asked = directories.map(({ name }) => name).join(', then ');
  for (const { names, keyType } of all) tell('plan', `would order ${names.join(', ')} (${keyType}) from ${asked}`);
  const message = `nothing was asked, and nothing is proved: ${directories[0]?.name ?? 'the CA'} has no staging directory`;
  return new PromgateError('REHEARSAL_IMPOSSIBLE', message, {
    hint: 'name the staging directory of the CA as directory_url, with a state_dir of its own, in a copy of the file: `promgate cert renew --config.file=COPY`',
  });
}

/** Account keys to look at: one that is made for a rehearsal is forgotten with it. */
function lent(store: StateStore): AccountStore {
  const made = new Map<string, string>();
  return {
    readAccountKey: async (url) => made.get(url) ?? (await store.readAccountKey(url)),
    writeAccountKey(url, key) {
      made.set(url, key);
      return Promise.resolve(key);
    },
  };
}

/** The store of a section; it touches nothing before it is opened. */
export async function openStore(
  { stateDirectory: directory }: AcmeSettings,
  { clock, log }: Pick<AcmeServicePorts, 'clock' | 'log'>,
): Promise<StateStore> {
  const ownerUid = process.geteuid?.() ?? null;
  return createStateStore({ directory, ownerUid, identity: await processIdentity(), clock, log });
}

function wantedBy({ certificates }: AcmeSettings, name: string | null): readonly WantedCertificate[] {
  const found = name === null ? certificates : certificates.filter((wanted) => nameOf(wanted) === name);
  if (found.length > 0) return found;
  const known = certificates.map((wanted) => JSON.stringify(nameOf(wanted))).join(', ');
  throw new PromgateError('USAGE', `no certificate is called ${JSON.stringify(name)}`, { hint: `there is ${known}` });
}

/** Nothing else of the environment reaches a hook: it may hold secrets. */
function hookEnvironment(): Record<string, string> {
  const { PATH, HOME } = process.env;
  return { ...(PATH === undefined ? {} : { PATH }), ...(HOME === undefined ? {} : { HOME }) };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
