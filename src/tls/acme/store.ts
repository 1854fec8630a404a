/**
 * The state directory: certificates, what is remembered of them, and account keys, each in a file of its own (0600). A
 * file that cannot be used is reported once, set aside before another takes its place, and never destroys what is good.
 */
import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import type { KeyPair } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import type { Parsed } from '../../lib/problem.ts';
import { parsed, unparsed } from '../../lib/problem.ts';
import { ANY_DIRECTORY } from './attempts.ts';
import type { Log, Origin, StateStore, WantedCertificate } from './contract.ts';
import { accountFileName, canonicalNames, certificateFileName } from './file-name.ts';
import { acquireLock } from './lock.ts';
import type { ProcessIdentity } from './lock.ts';
import { canonicalName, nameOf, readPair } from './pair.ts';
import { privateDirectory } from './private-directory.ts';
import { decodeLedger, EMPTY_STATE, encodeLedger, readDocument, STATE_VERSION } from './state.ts';
import type { Ledger } from './state.ts';

const LOCK_WAIT_MS = 10_000;
const PAIR_FILE = '.pair.json';
const PREVIOUS_FILE = '.previous.json';
const LEDGER_FILE = '.state.json';

const pairSchema = z.strictObject({
  version: z.literal(STATE_VERSION),
  names: z.array(z.string()).min(1),
  directory: z.string(),
  cert: z.string(),
  key: z.string(),
  // Not in what the first version wrote.
  origin: z
    .strictObject({
      at: z.number().int().min(0).max(8.64e15),
      profile: z.string().max(64).nullable(),
      because: z.string().max(500),
      isRenewal: z.boolean(),
    })
    .nullable()
    .default(null),
});
const accountSchema = z.strictObject({
  version: z.literal(STATE_VERSION),
  directory: z.string(),
  key: z.string(),
});

interface KeptPair {
  readonly pair: KeyPair;
  readonly issuedBy: string;
  readonly origin: Origin | null;
}

export interface StorePorts {
  readonly directory: string;
  /** The user that runs the gate; null where users cannot be told apart. */
  readonly ownerUid: number | null;
  readonly identity: ProcessIdentity;
  readonly clock: Clock;
  readonly log: Log;
}

/** Touches nothing before `open`. */
export function createStateStore({ directory, ownerUid, identity, clock, log }: StorePorts): StateStore {
  const files = privateDirectory(directory, ownerUid);
  const reported = new Set<string>();
  /** File → when it was first seen to be unusable. */
  const lost = new Map<string, number>();

  const report = (name: string, message: string): void => {
    if (reported.has(`${name} ${message}`)) return;
    reported.add(`${name} ${message}`);
    log.warn({ file: join(directory, name) }, message);
  };

  /** The value in a file; null when it is absent, `unusable` when it is there and is not to be used. */
  const load = async <T>(name: string, read: (text: string) => Parsed<T>): Promise<T | null | 'unusable'> => {
    const reading = await files.read(name);
    if (reading.kind === 'absent') return null;
    if (reading.kind === 'text' && reading.wasOpen) {
      report(name, 'a private file of the state directory could be read by other users, it ought to be 0600');
    }
    const value = reading.kind === 'text' ? read(reading.text) : unparsed(reading.message);
    if (value.ok) return value.value;
    report(name, `a file of the state directory is not used: ${value.message}`);
    return 'unusable';
  };

  const usable = async <T>(name: string, read: (text: string) => Parsed<T>): Promise<T | null> => {
    const value = await load(name, read);
    return value === 'unusable' ? null : value;
  };

  /** Writes; what is there and cannot be used keeps a place of its own. */
  const save = async <T>(name: string, content: string, read: (text: string) => Parsed<T>): Promise<void> => {
    if ((await load(name, read)) === 'unusable') {
      const target = await files.setAside(name);
      log.warn({ file: join(directory, name), to: target }, 'a file that could not be used was set aside');
    }
    await files.write(name, content);
    // What cannot be read back is no certificate kept, whatever the file system said.
    const back = await load(name, read);
    if (back === null || back === 'unusable') {
      throw new PromgateError('FILE_WRITE', `${join(directory, name)} cannot be used after it was written`);
    }
  };

  const readKeptPair = async (wanted: WantedCertificate): Promise<KeptPair | null> => {
    const own = certificateFileName(wanted);
    const decode = (text: string): Parsed<KeptPair> => decodePair(text, nameOf(wanted));
    const mine = (await usable(own + PAIR_FILE, decode)) ?? (await usable(own + PREVIOUS_FILE, decode));
    if (mine !== null) return mine;
    // The names were changed: the certificate that has most of them is served until the new one has come.
    const names = new Set(canonicalNames(wanted));
    const others: { readonly kept: KeptPair; readonly shared: number }[] = [];
    for (const name of await files.names()) {
      if (!name.endsWith(PAIR_FILE)) continue;
      const kept = await usable(name, decode);
      const shared = kept?.pair.names.filter((one) => names.has(canonicalName(one))).length ?? 0;
      if (kept !== null && shared > 0) others.push({ kept, shared });
    }
    return others.sort((a, b) => b.shared - a.shared || b.kept.pair.notAfter - a.kept.pair.notAfter)[0]?.kept ?? null;
  };

  const writePair = async (wanted: WantedCertificate, kept: KeptPair): Promise<void> => {
    const { pair } = kept;
    const own = certificateFileName(wanted);
    const decode = (text: string): Parsed<KeptPair> => decodePair(text, nameOf(wanted));
    const old = await usable(own + PAIR_FILE, decode);
    if (old?.pair.cert === pair.cert && old.pair.key === pair.key) return;
    if (old !== null) await save(own + PREVIOUS_FILE, encodePair(wanted, old), decode);
    await save(own + PAIR_FILE, encodePair(wanted, kept), decode);
  };

  return {
    open: () => files.open(),
    async read(wanted) {
      const names = canonicalNames(wanted);
      const kept = await readKeptPair(wanted);
      const name = certificateFileName(wanted) + LEDGER_FILE;
      const ledger = await load(name, (text) => decodeLedger(text, names));
      if (ledger !== 'unusable') lost.delete(name);
      else if (!lost.has(name)) lost.set(name, clock.now());
      const known = ledger === 'unusable' ? suspicious(lost.get(name) ?? clock.now()) : (ledger ?? EMPTY_STATE);
      return { ...EMPTY_STATE, ...known, ...kept };
    },
    async write(wanted, state) {
      const { pair, issuedBy, origin } = state;
      const names = canonicalNames(wanted);
      // The certificate first: without the rest it is still good.
      if (pair !== null && issuedBy !== null) await writePair(wanted, { pair, issuedBy, origin });
      const ledger = encodeLedger(names, state);
      await save(certificateFileName(wanted) + LEDGER_FILE, ledger, (text) => decodeLedger(text, names));
    },
    async readAccountKey(url) {
      return usable(`account-${accountFileName(url)}.json`, (text) => decodeAccount(text, url));
    },
    async writeAccountKey(url, key) {
      const name = `account-${accountFileName(url)}.json`;
      const decode = (text: string): Parsed<string> => decodeAccount(text, url);
      const kept = await load(name, decode);
      if (kept !== null && kept !== 'unusable') return kept;
      if (kept === 'unusable') await files.setAside(name);
      const content = `${JSON.stringify({ version: STATE_VERSION, directory: url, key }, null, 2)}\n`;
      try {
        await files.create(name, content);
      } catch (error) {
        // Another process was quicker: there is one account, and it is the first.
        const first = await usable(name, decode);
        if (first === null) throw error;
        return first;
      }
      return key;
    },
    async exclusively(wanted, signal, work) {
      const path = join(directory, `${certificateFileName(wanted)}.lock`);
      const lock = await acquireLock(path, LOCK_WAIT_MS, signal, { identity, clock });
      if (lock === null) return null;
      try {
        return await work();
      } finally {
        await lock.release();
      }
    },
  };
}

/** When nobody knows what was tried, the next attempt is made as if one had just failed. */
function suspicious(now: number): Ledger {
  const reason = 'what was remembered is lost';
  return {
    ...EMPTY_STATE,
    failures: [{ at: now, directory: ANY_DIRECTORY, role: 'real', kind: 'interrupted', reason, retryAt: null }],
  };
}

function encodePair(wanted: WantedCertificate, { pair: { cert, key }, issuedBy, origin }: KeptPair): string {
  const document = { version: STATE_VERSION, names: canonicalNames(wanted), directory: issuedBy, cert, key, origin };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function decodePair(text: string, name: string): Parsed<KeptPair> {
  const document = readDocument(text, pairSchema);
  if (!document.ok) return document;
  const { cert, key, directory, origin } = document.value;
  const pair = readPair(cert, key, name);
  return pair.ok ? parsed({ pair: pair.value, issuedBy: directory, origin }) : pair;
}

function decodeAccount(text: string, url: string): Parsed<string> {
  const document = readDocument(text, accountSchema);
  if (!document.ok) return document;
  if (document.value.directory !== url) return unparsed('it belongs to another directory');
  try {
    createPrivateKey(document.value.key);
    return parsed(document.value.key);
  } catch {
    return unparsed('its key cannot be read');
  }
}
