/**
 * The directory of the own CA: certificate, key, index and revocation list. The only place that writes index and list,
 * one writer at a time, each as a whole. A revocation is never forgotten, also when index or list was lost.
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCrls } from '../../formats/crl.ts';
import type { Crl } from '../../formats/crl.ts';
import { keyMatches, parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { createFile, replaceFile } from '../../lib/private-file.ts';
import { EMPTY_INDEX, parseIndex, printIndex } from './certificate-index.ts';
import type { CertificateIndex, IssuedCertificate, RevokedCertificate } from './certificate-index.ts';
import { withLock } from './file-lock.ts';
import { isEncryptedKey } from './keys.ts';
import type { CertificateAndKey } from './keys.ts';
import { makeCrl, normalizeSerial, readRevoked } from './revocation-list.ts';

export interface AuthorityPaths {
  readonly directory: string;
  readonly cert: string;
  readonly key: string;
  readonly index: string;
  readonly crl: string;
  readonly lock: string;
}

const LARGEST_FILE = 16 * 1024 * 1024;
/** Clocks of hosts differ: a list that is made now must be valid where it is a little earlier. */
const BACKDATED_MS = 5 * 60_000;

export function authorityPaths(directory: string): AuthorityPaths {
  return {
    directory,
    cert: join(directory, 'ca.crt'),
    key: join(directory, 'ca.key'),
    index: join(directory, 'ca-index.json'),
    crl: join(directory, 'ca.crl'),
    lock: join(directory, '.ca-index.lock'),
  };
}

/** What is there of the CA's key: `encrypted` needs a passphrase, `missing` is kept elsewhere. */
export type AuthorityKey =
  | { readonly kind: 'ready'; readonly pem: string }
  | { readonly kind: 'encrypted'; readonly pem: string }
  | { readonly kind: 'missing' };

export interface Authority {
  readonly paths: AuthorityPaths;
  readonly certificate: CertificateInfo;
  /** PEM as in the file. */
  readonly cert: string;
  readonly key: AuthorityKey;
}

/**
 * @returns null when the directory has no CA certificate.
 * @throws {PromgateError} AUTHORITY_REFUSED when certificate and key do not make a CA, FILE_UNSAFE when unreadable.
 */
export async function readAuthority(directory: string): Promise<Authority | null> {
  const paths = authorityPaths(directory);
  const cert = await readIfThere(paths.cert);
  if (cert === null) return null;
  const certificates = parseCertificates(cert);
  if (!certificates.ok) throw refused(`${paths.cert}: ${certificates.message}`);
  const [certificate] = certificates.value;
  if (certificate?.isCa !== true) throw refused(`${paths.cert} is not the certificate of a CA`);
  const pem = await readIfThere(paths.key);
  if (pem === null) return { paths, certificate, cert, key: { kind: 'missing' } };
  if (isEncryptedKey(pem)) return { paths, certificate, cert, key: { kind: 'encrypted', pem } };
  const matches = keyMatches(cert, pem);
  if (!matches.ok) throw refused(`${paths.key}: ${matches.message}`);
  return { paths, certificate, cert, key: { kind: 'ready', pem } };
}

/** @throws {PromgateError} AUTHORITY_REFUSED when it is damaged: nothing is issued or revoked on half an index. */
export async function readIndex(paths: AuthorityPaths): Promise<CertificateIndex> {
  const text = await readIfThere(paths.index);
  if (text === null) return EMPTY_INDEX;
  const index = parseIndex(text);
  if (index.ok) return index.value;
  throw new PromgateError('AUTHORITY_REFUSED', `${paths.index} cannot be used: ${index.message}`, {
    hint: `bring it back from a backup, or move it away: what ${paths.crl} has revoked stays so`,
  });
}

/**
 * The newest list of this CA that is in the file; null when there is none.
 * @throws {PromgateError} AUTHORITY_REFUSED when the file is damaged.
 */
export async function readCrl({ paths, certificate }: Pick<Authority, 'paths' | 'certificate'>): Promise<Crl | null> {
  const text = await readIfThere(paths.crl);
  if (text === null) return null;
  const crls = parseCrls(text);
  if (!crls.ok) {
    throw new PromgateError('AUTHORITY_REFUSED', `${paths.crl}: ${crls.message}`, {
      hint: `move it away and run \`promgate pki crl\`: what ${paths.index} has revoked is in the new list`,
    });
  }
  return crls.value.find(({ issuerKey }) => issuerKey === certificate.subjectKey) ?? null;
}

/** Notes what was issued. */
export async function recordIssued(paths: AuthorityPaths, clock: Clock, issued: IssuedCertificate): Promise<void> {
  await withLock(paths.lock, clock, async () => {
    const index = await readIndex(paths);
    const others = index.issued.filter(({ serial }) => serial !== issued.serial);
    await writeIndex(paths, { ...index, issued: [...others, issued] });
  });
}

export interface CrlUpdate {
  /** PEM, without a passphrase. */
  readonly key: string;
  /** How long the new list is valid. */
  readonly lifetimeMs: number;
  readonly revoke?: readonly RevokedCertificate[];
  /** Asked under the lock, with the list that is there: false leaves everything as it is. */
  readonly unless?: (current: Crl | null) => boolean;
}

/**
 * Revokes what is to be revoked and writes a new list with the next number. The index is written first: what crashes
 * in between is revoked by the next list.
 * @returns the list that is in the file now.
 */
export async function updateCrl(authority: Authority, clock: Clock, update: CrlUpdate): Promise<Crl | null> {
  const { paths, certificate } = authority;
  return withLock(paths.lock, clock, async () => {
    const current = await readCrl(authority);
    if (update.unless?.(current) === true) return current;
    const index = await readIndex(paths);
    const listed = current === null ? [] : await readRevoked(current.pem);
    const revoked = new Map<string, RevokedCertificate>();
    for (const entry of [...index.revoked, ...listed, ...(update.revoke ?? [])]) {
      const serial = normalizeSerial(entry.serial);
      if (serial === null) throw refused(`${JSON.stringify(entry.serial)} is not a hex serial number`);
      if (!revoked.has(serial)) revoked.set(serial, { reason: 'unspecified', ...entry, serial });
    }
    const before = current?.number ?? 0n;
    const crlNumber = (before > index.crlNumber ? before : index.crlNumber) + 1n;
    await writeIndex(paths, { ...index, revoked: [...revoked.values()], crlNumber });
    const ca: CertificateAndKey = { cert: authority.cert, key: update.key };
    const now = clock.now();
    const thisUpdate = Math.max(now - BACKDATED_MS, certificate.notBefore);
    const nextUpdate = Math.min(thisUpdate + update.lifetimeMs, certificate.notAfter);
    if (nextUpdate <= now) throw refused(`${paths.cert} has ended: it signs no list any more`);
    const pem = await makeCrl({ ca, revoked: [...revoked.values()], number: crlNumber, thisUpdate, nextUpdate });
    await write(paths.crl, pem, 0o644);
    return readCrl(authority);
  });
}

async function writeIndex(paths: AuthorityPaths, index: CertificateIndex): Promise<void> {
  await write(paths.index, printIndex(index), 0o600);
}

async function write(path: string, text: string, mode: number): Promise<void> {
  if ((await stat(path).catch(() => null)) === null) await createFile(path, text, mode);
  else await replaceFile(path, text);
}

/**
 * The text of a regular file of at most 16 MiB; null when nothing of that name is there.
 * @throws {PromgateError} FILE_UNSAFE when it is something else or cannot be read.
 */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size, ...stats } = await file.stat().then((found) => ({ size: found.size, isFile: found.isFile() }));
      if (!stats.isFile || size > LARGEST_FILE) {
        throw new PromgateError('FILE_UNSAFE', `${path} is no regular file of at most 16 MiB`);
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof PromgateError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT') return null;
    throw new PromgateError('FILE_UNSAFE', `cannot read ${path}: ${code}`, { cause: error });
  }
}

function refused(message: string): PromgateError {
  return new PromgateError('AUTHORITY_REFUSED', message);
}
