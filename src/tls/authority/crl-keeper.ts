/**
 * Renews a revocation list of the own CA in the running gate, at half of its life. It renews what is there and adds
 * nothing: a list that was never made, or whose CA's key is not at hand, is left alone and said so.
 */
import { basename, dirname } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { Crl } from '../../formats/crl.ts';
import type { Clock } from '../../lib/clock.ts';
import { whyNotWritable } from '../../lib/private-file.ts';
import { authorityPaths, ownCas, readAuthority } from './authority-directory.ts';
import { readCrls, updateCrl } from './crl-file.ts';
import { createHourlyCare } from './hourly-care.ts';
import type { KeeperLog } from './hourly-care.ts';

export type { KeeperLog } from './hourly-care.ts';

/** How much earlier than its CA a list may end to count as lasting as long. */
const SLACK_MS = 31 * 86_400_000;

/** Why a list is not renewed by the gate. */
export type CrlState = 'kept' | 'key_encrypted' | 'key_missing' | 'unwritable' | 'foreign' | 'failed';

export interface CrlKeeperMetrics {
  /** One series per list: whether the gate keeps it fresh. */
  crlKept(file: string, kept: boolean): void;
  crlRefreshed(ok: boolean): void;
}

export interface CrlKeeper {
  /** The files of the configuration in force; looks at once. */
  follow(files: Config['files']): void;
  /** Looks now; never rejects. */
  look(): Promise<void>;
  /** What the last look found that nobody mends without being told, one sentence each. */
  worries(): readonly string[];
  close(): void;
}

/**
 * When a list is to be renewed: in the middle of its life, so that half of it is left to mend what fails.
 * @returns milliseconds since the epoch; null for a list without an end.
 */
export function refreshAt({ thisUpdate, nextUpdate }: Pick<Crl, 'thisUpdate' | 'nextUpdate'>): number | null {
  return nextUpdate === null ? null : thisUpdate + (nextUpdate - thisUpdate) / 2;
}

/** The lists that may be of an own CA: those called as it calls them. */
export function ownCrls(files: Config['files']): readonly string[] {
  const crls = files.filter(
    ({ path, source }) => source === 'client_ca' && basename(path) === basename(authorityPaths('').crl),
  );
  return [...new Set(crls.map(({ path }) => path))];
}

/**
 * Renews what has expired while no gate ran, before one serves: until then it would refuse every client of the CA.
 * @returns whether something had expired: then the configuration is to be read again.
 */
export async function renewExpired(
  { files, tls }: Pick<Config, 'files' | 'tls'>,
  ports: KeeperPorts,
): Promise<boolean> {
  const now = ports.clock.now();
  const hasExpired = (tls?.trust.crls ?? []).some(({ nextUpdate }) => nextUpdate !== null && nextUpdate <= now);
  if (!hasExpired || ownCrls(files).length === 0) return false;
  const keeper = createCrlKeeper({ ...ports, metrics: { crlKept: () => undefined, crlRefreshed: () => undefined } });
  keeper.follow(files);
  await keeper.look();
  keeper.close();
  return true;
}

export interface KeeperPorts {
  readonly clock: Clock;
  readonly log: KeeperLog;
}

export function createCrlKeeper(ports: {
  readonly clock: Clock;
  readonly log: KeeperLog;
  readonly metrics: CrlKeeperMetrics;
}): CrlKeeper {
  const { clock, log, metrics } = ports;
  const states = new Map<string, CrlState>();
  const worries = new Map<string, string>();

  function tell(file: string, state: CrlState, detail: object = {}): void {
    metrics.crlKept(file, state === 'kept');
    if (state !== 'unwritable') worries.delete(file);
    if (states.get(file) === state) return;
    states.set(file, state);
    const hint = `\`promgate pki crl --directory=${dirname(file)}\` renews it`;
    if (state === 'key_encrypted') {
      log.warn({ file, hint }, 'the gate cannot renew this revocation list: the key of its CA has a passphrase');
    } else if (state === 'key_missing') {
      log.warn({ file, hint }, 'the gate cannot renew this revocation list: the key of its CA is not here');
    } else if (state === 'unwritable') {
      log.error(
        { file, hint: 'let the gate write there, or make a list that lasts', ...detail },
        worries.get(file) ?? '',
      );
    } else if (state === 'failed') {
      log.error({ file, hint, ...detail }, 'renewing the revocation list failed, it is tried again every hour');
    }
  }

  /** During a rotation the file has the lists of both CAs: what is due for one is done for both. */
  async function lookAt(file: string): Promise<void> {
    const authority = await readAuthority(dirname(file));
    const crls = authority === null ? [] : await readCrls(authority);
    if (authority === null || crls.length === 0) {
      tell(file, 'foreign');
      return;
    }
    const { key } = authority;
    if (key.kind !== 'ready') {
      tell(file, key.kind === 'encrypted' ? 'key_encrypted' : 'key_missing');
      return;
    }
    const obstacle = await whyNotWritable(dirname(file));
    const ends = crls.map(({ nextUpdate }) => nextUpdate ?? Infinity);
    // A list that lasts as long as its CA needs nobody.
    if (obstacle !== null && Math.min(...ends) < authority.certificate.notAfter - SLACK_MS) {
      const end = new Date(Math.min(...ends)).toISOString();
      worries.set(
        file,
        `cannot write ${dirname(file)} (${obstacle}): the list ${file} ends ${end} and nothing renews it`,
      );
      tell(file, 'unwritable');
      return;
    }
    const own = new Set(ownCas(authority, key.pems).map(({ certificate }) => certificate.subjectKey));
    const isDue = (crl: Crl): boolean => own.has(crl.issuerKey) && (refreshAt(crl) ?? Infinity) <= clock.now();
    const due = crls.find(isDue);
    if (due !== undefined) {
      const updated = await updateCrl(authority, clock, {
        keys: key.pems,
        lifetimeMs: (due.nextUpdate ?? due.thisUpdate) - due.thisUpdate,
        unless: (current) => !current.some(isDue),
      });
      metrics.crlRefreshed(true);
      log.info({ file, number: String(updated?.number ?? '') }, 'renewed the revocation list');
    }
    tell(file, 'kept');
  }

  const care = createHourlyCare<string>({
    clock,
    lookAt,
    failed: (file, reason) => {
      metrics.crlRefreshed(false);
      tell(file, 'failed', { reason });
      worries.set(file, `the list ${file} is not renewed: ${reason}`);
    },
  });
  return {
    follow(configured) {
      const files = ownCrls(configured);
      for (const file of states.keys()) {
        if (files.includes(file)) continue;
        states.delete(file);
        worries.delete(file);
      }
      care.follow(files);
    },
    look: () => care.look(),
    worries: () => [...worries.values()],
    close: () => {
      care.close();
    },
  };
}
