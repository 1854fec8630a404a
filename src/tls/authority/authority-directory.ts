/**
 * The directory of the own CA: certificate, key and index; its revocation list is in crl-file.ts. During a rotation
 * (rotation.ts) ca.crt and ca.key hold two CAs, the signing one first in ca.crt. One writer at a time, each file a whole.
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { keyMatches, parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { createFile, replaceFile } from '../../lib/private-file.ts';
import { EMPTY_INDEX, parseIndex, printIndex, pruned } from './certificate-index.ts';
import type { CertificateIndex, IssuedCertificate } from './certificate-index.ts';
import { withLock } from './file-lock.ts';
import { isEncryptedKey, splitKeys } from './keys.ts';

export interface AuthorityPaths {
  readonly directory: string;
  readonly cert: string;
  readonly key: string;
  readonly index: string;
  readonly crl: string;
  readonly lock: string;
}

const LARGEST_FILE = 16 * 1024 * 1024;

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
  /** `pem`: of the CA that signs; `pems`: every key of the file. */
  | { readonly kind: 'ready'; readonly pem: string; readonly pems: readonly string[] }
  /** The text of the file. */
  | { readonly kind: 'encrypted'; readonly pem: string }
  | { readonly kind: 'missing' };

export interface Authority {
  readonly paths: AuthorityPaths;
  /** The CA that signs. */
  readonly certificate: CertificateInfo;
  /** It alone, PEM. */
  readonly cert: string;
  readonly key: AuthorityKey;
  /** Every CA of ca.crt in its order, the one that signs first; during a rotation there are two. */
  readonly certificates: readonly CertificateInfo[];
  /** ca.crt as it is: for those who trust what this CA has issued. */
  readonly bundle: string;
}

/**
 * @returns null when the directory has no CA certificate.
 * @throws {PromgateError} AUTHORITY_REFUSED when certificate and key do not make a CA, FILE_UNSAFE when unreadable.
 */
export async function readAuthority(directory: string): Promise<Authority | null> {
  const paths = authorityPaths(directory);
  const bundle = await readIfThere(paths.cert);
  if (bundle === null) return null;
  const certificates = parseCertificates(bundle);
  if (!certificates.ok) throw refused(`${paths.cert}: ${certificates.message}`);
  const [certificate] = certificates.value;
  if (certificate?.isCa !== true) throw refused(`${paths.cert} is not the certificate of a CA`);
  const common = { paths, certificate, cert: certificate.pem, certificates: certificates.value, bundle };
  const text = await readIfThere(paths.key);
  if (text === null) return { ...common, key: { kind: 'missing' } };
  if (isEncryptedKey(text)) return { ...common, key: { kind: 'encrypted', pem: text } };
  const pems = splitKeys(text);
  const pem = pems.find((one) => keyMatches(certificate.pem, one).ok);
  if (pem !== undefined) return { ...common, key: { kind: 'ready', pem, pems } };
  const matches = keyMatches(certificate.pem, text);
  throw refused(`${paths.key}: ${matches.ok ? 'it cannot be read' : matches.message}`);
}

/** A CA of ca.crt and its key. */
export interface OwnCa {
  readonly certificate: CertificateInfo;
  /** PEM, in the clear. */
  readonly key: string;
}

/** The CAs of ca.crt that these keys belong to, in the order of ca.crt; others may stand there to be trusted only. */
export function ownCas({ certificates }: Pick<Authority, 'certificates'>, keys: readonly string[]): readonly OwnCa[] {
  return certificates.flatMap((certificate) => {
    const key = keys.find((one) => keyMatches(certificate.pem, one).ok);
    return key === undefined || !certificate.isCa ? [] : [{ certificate, key }];
  });
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
 * Notes what was issued.
 * @param renews the serial number of the certificate that it takes the place of.
 * @returns false, and notes nothing, when that one was revoked before the lock was had: it must not be handed out.
 */
export async function recordIssued(
  paths: AuthorityPaths,
  clock: Clock,
  issued: IssuedCertificate,
  renews?: string,
): Promise<boolean> {
  return withLock(paths.lock, clock, async () => {
    const index = await readIndex(paths);
    if (renews !== undefined && index.revoked.some(({ serial }) => serial === renews)) return false;
    const others = index.issued.filter(({ serial }) => serial !== issued.serial);
    await writeIndex(paths, clock, { ...index, issued: [...others, issued] });
    return true;
  });
}

/** For who holds the lock. What ended long ago is left out. */
export async function writeIndex(paths: AuthorityPaths, clock: Clock, index: CertificateIndex): Promise<void> {
  await writeWhole(paths.index, printIndex(pruned(index, clock.now())), 0o600);
}

/** Makes or replaces a file; `mode` is that of a new one. */
export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
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
