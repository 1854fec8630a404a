/**
 * Renews a revocation list of the own CA in the running gate, at half of its life. It renews what is there and adds
 * nothing: a list that was never made, or whose CA's key is not at hand, is left alone and said so.
 */
import { basename, dirname } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { Crl } from '../../formats/crl.ts';
import type { Clock } from '../../lib/clock.ts';
import { authorityPaths, readAuthority, readCrl, updateCrl } from './authority-directory.ts';
import { oneAtATime } from './one-at-a-time.ts';

const LOOK_MS = 60 * 60_000;
/** After a configuration has come to run. */
const SOON_MS = 1000;

export interface KeeperLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Why a list is not renewed by the gate. */
export type CrlState = 'kept' | 'key_encrypted' | 'key_missing' | 'foreign' | 'failed';

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

export function createCrlKeeper(ports: {
  readonly clock: Clock;
  readonly log: KeeperLog;
  readonly metrics: CrlKeeperMetrics;
}): CrlKeeper {
  const { clock, log, metrics } = ports;
  let files: readonly string[] = [];
  const states = new Map<string, CrlState>();

  function tell(file: string, state: CrlState, detail: object = {}): void {
    metrics.crlKept(file, state === 'kept');
    if (states.get(file) === state) return;
    states.set(file, state);
    const hint = `\`promgate pki crl --directory=${dirname(file)}\` renews it`;
    if (state === 'key_encrypted') {
      log.warn({ file, hint }, 'the gate cannot renew this revocation list: the key of its CA has a passphrase');
    } else if (state === 'key_missing') {
      log.warn({ file, hint }, 'the gate cannot renew this revocation list: the key of its CA is not here');
    } else if (state === 'failed') {
      log.error({ file, hint, ...detail }, 'renewing the revocation list failed, it is tried again every hour');
    }
  }

  async function lookAt(file: string): Promise<void> {
    const authority = await readAuthority(dirname(file));
    if (authority === null) {
      tell(file, 'foreign');
      return;
    }
    const crl = await readCrl(authority);
    if (crl === null) {
      tell(file, 'foreign');
      return;
    }
    if (authority.key.kind !== 'ready') {
      tell(file, authority.key.kind === 'encrypted' ? 'key_encrypted' : 'key_missing');
      return;
    }
    const due = refreshAt(crl);
    if (due !== null && crl.nextUpdate !== null && due <= clock.now()) {
      const updated = await updateCrl(authority, clock, {
        key: authority.key.pem,
        lifetimeMs: crl.nextUpdate - crl.thisUpdate,
        unless: (current) => current !== null && (refreshAt(current) ?? Infinity) > clock.now(),
      });
      metrics.crlRefreshed(true);
      log.info({ file, number: String(updated?.number ?? '') }, 'renewed the revocation list');
    }
    tell(file, 'kept');
  }

  async function lookAtAll(): Promise<void> {
    for (const file of files) {
      try {
        await lookAt(file);
      } catch (error) {
        metrics.crlRefreshed(false);
        tell(file, 'failed', { reason: error instanceof Error ? error.message : 'unknown reason' });
      }
    }
  }

  const look = oneAtATime(lookAtAll);
  const ticking = clock.every(LOOK_MS, () => void look());
  return {
    follow(configured) {
      files = ownCrls(configured);
      for (const file of states.keys()) if (!files.includes(file)) states.delete(file);
      // Not within the taking over of a configuration: the list that is written here causes the next one.
      if (files.length > 0) clock.after(SOON_MS, () => void look());
    },
    look,
    close() {
      files = [];
      ticking.cancel();
    },
  };
}
