/** The files of one issued certificate: NAME.crt, NAME.key and NAME.chain.crt. Never overwrites what it did not read. */
import { lstat, readdir, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { spkiPin } from '../../formats/spki-pin.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { createFile, replaceFile } from '../../lib/private-file.ts';
import { readIfThere } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { CertificateKind, IssuedCertificate } from '../../tls/authority/certificate-index.ts';
import { chainBehind, issuerAmong, isSignedBy } from '../../tls/authority/issuer.ts';
import { canReplaceTogether, replaceTogether } from '../../tls/authority/replace-together.ts';
import type { Terminal } from '../terminal.ts';

export interface IssuedPaths {
  /** The leaf alone. */
  readonly cert: string;
  readonly key: string;
  /** The leaf, then the CA. */
  readonly chain: string;
}

/** The CA's own files, and what would be read as one of another certificate's. */
const RESERVED = /^(?:ca|ca-index)$|\.chain$/;

/**
 * Where the files of a name are. `*` and `:` become `_`: a name never leaves the directory.
 * @throws {PromgateError} USAGE when no file can be called so.
 */
export function issuedPaths(directory: string, name: string): IssuedPaths {
  const base = name.toLowerCase().replace(/[*:]/g, '_');
  if (!/^[a-z0-9_][a-z0-9._@-]{0,199}$/.test(base) || RESERVED.test(base)) {
    throw new PromgateError('USAGE', `${quoteForeign(name)} cannot be the name of a certificate's files`, {
      hint: 'letters, digits, dots, dashes and underscores; not ca',
    });
  }
  const path = (suffix: string): string => join(directory, `${base}${suffix}`);
  return { cert: path('.crt'), key: path('.key'), chain: path('.chain.crt') };
}

/** @throws {PromgateError} FILE_UNSAFE when one of the files is there, before anything is signed. */
export async function refuseExisting(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if ((await lstat(path).catch(() => null)) === null) continue;
    throw new PromgateError('FILE_UNSAFE', `${path} is there already and was not touched`, {
      hint: '`promgate pki renew NAME` renews a certificate; another name, or moving it away, makes room',
    });
  }
}

/** Writes new files, all or none. */
export async function writeNewFiles(
  files: readonly { readonly path: string; readonly text: string; readonly mode: number }[],
  terminal: Terminal,
): Promise<void> {
  const written: string[] = [];
  try {
    for (const { path, text, mode } of files) {
      await createFile(path, text, mode);
      written.push(path);
    }
  } catch (error) {
    for (const path of written) await unlink(path).catch(() => undefined);
    throw error;
  }
  for (const path of written) terminal.err(`promgate: wrote ${path}`);
}

/**
 * Replaces the files of a certificate: with a new key all at one moment, since a certificate with another's key serves
 * nobody. What else stands in NAME.crt behind the leaf stays.
 * @param issued `key` null: the one that is there stays.
 * @returns what was written.
 * @throws {PromgateError} FILE_UNSAFE when a key and its certificate cannot change together; nothing is changed then.
 */
export async function replaceIssued(
  paths: IssuedPaths,
  authority: Authority,
  { cert, key }: { readonly cert: string; readonly key: string | null },
): Promise<readonly string[]> {
  const before = parseCertificates((await readIfThere(paths.cert)) ?? '');
  const behind = chainBehind(authority, before.ok ? before.value.slice(1) : []);
  const hasChain = (await lstat(paths.chain).catch(() => null)) !== null;
  const files = [
    { path: paths.cert, text: cert + behind },
    ...(hasChain ? [{ path: paths.chain, text: cert + authority.certificate.pem }] : []),
  ];
  if (key === null) {
    for (const { path, text } of files) await replaceFile(path, text);
  } else {
    files.push({ path: paths.key, text: key });
    if (!(await canReplaceTogether(files.map(({ path }) => path)))) {
      throw new PromgateError('FILE_UNSAFE', `${paths.key} and ${paths.cert} are not plain files of one directory`, {
        hint: 'they cannot change together: put the files themselves in the place of the links',
      });
    }
    await replaceTogether(files);
  }
  return files.map(({ path }) => path);
}

export function describe(cert: string, name: string, kind: CertificateKind): IssuedCertificate {
  const certificates = parseCertificates(cert);
  const [leaf] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw new TypeError('the certificate that was made cannot be read');
  return asIssued(leaf, name, kind);
}

export function asIssued(leaf: CertificateInfo, name: string, kind: CertificateKind): IssuedCertificate {
  const { serial, notBefore, notAfter, publicKeySpki, issuerKey: issuer } = leaf;
  return { name, kind, serial, notBefore, notAfter, spki: spkiPin(publicKeySpki), issuer };
}

/** Whether the CA that signs now has signed it. */
export function isIssuedBy(leaf: CertificateInfo, { certificate }: Authority): boolean {
  return leaf.fingerprint !== certificate.fingerprint && isSignedBy(leaf, certificate);
}

/**
 * The first certificate of a file, when this CA issued it, or during a rotation the other one; null when there is no such file.
 * @throws {PromgateError} AUTHORITY_REFUSED when it is no certificate, or another CA's.
 */
export async function readOwnCertificate(path: string, authority: Authority): Promise<CertificateInfo | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  const certificates = parseCertificates(text);
  if (!certificates.ok) throw new PromgateError('AUTHORITY_REFUSED', `${path}: ${certificates.message}`);
  const [leaf] = certificates.value;
  if (leaf === undefined || issuerAmong(authority, leaf) === null) {
    throw new PromgateError('AUTHORITY_REFUSED', `${path} was not issued by ${authority.paths.cert}`);
  }
  return leaf;
}

/** A certificate of this CA in its directory; its files are called `base`. */
export interface FoundCertificate {
  readonly base: string;
  readonly leaf: CertificateInfo;
}

/** Every certificate of this CA, and during a rotation of the other one, that lies in the directory. */
export async function certificatesIn(authority: Authority): Promise<readonly FoundCertificate[]> {
  const found: FoundCertificate[] = [];
  const { directory, cert } = authority.paths;
  const files = await readdir(directory).catch(() => []);
  for (const file of files.sort()) {
    if (!file.endsWith('.crt') || file.endsWith('.chain.crt') || file === basename(cert)) continue;
    const leaf = await readOwnCertificate(join(directory, file), authority).catch((error: unknown) => {
      // What is not ours is passed over.
      if (error instanceof PromgateError) return null;
      throw error;
    });
    if (leaf !== null) found.push({ base: file.slice(0, -'.crt'.length), leaf });
  }
  return found;
}
