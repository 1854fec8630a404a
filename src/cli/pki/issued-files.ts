/** The files of one issued certificate: NAME.crt, NAME.key and NAME.chain.crt. Never overwrites what it did not read. */
import { X509Certificate } from 'node:crypto';
import { lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { spkiPin } from '../../formats/spki-pin.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { createFile } from '../../lib/private-file.ts';
import { readIfThere } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { CertificateKind, IssuedCertificate } from '../../tls/authority/certificate-index.ts';
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
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

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

export function describe(cert: string, name: string, kind: CertificateKind): IssuedCertificate {
  const certificates = parseCertificates(cert);
  const [leaf] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw new TypeError('the certificate that was made cannot be read');
  return asIssued(leaf, name, kind);
}

export function asIssued(leaf: CertificateInfo, name: string, kind: CertificateKind): IssuedCertificate {
  const { serial, notBefore, notAfter, publicKeySpki } = leaf;
  return { name, kind, serial, notBefore, notAfter, spki: spkiPin(publicKeySpki) };
}

/** Verified by signature: a name can be anybody's. */
export function isIssuedBy(leaf: CertificateInfo, { certificate }: Authority): boolean {
  const [own, issuer] = [new X509Certificate(leaf.der), new X509Certificate(certificate.der)];
  return leaf.fingerprint !== certificate.fingerprint && own.checkIssued(issuer) && own.verify(issuer.publicKey);
}

export function kindOf(leaf: CertificateInfo): CertificateKind {
  // The declared type forgets that a certificate without the extension has none.
  const usages = new X509Certificate(leaf.der).keyUsage as readonly string[] | undefined;
  return usages?.includes(CLIENT_AUTH) === true ? 'client' : 'server';
}

/**
 * The first certificate of a file, when this CA issued it; null when there is no such file.
 * @throws {PromgateError} AUTHORITY_REFUSED when it is no certificate, or another CA's.
 */
export async function readOwnCertificate(path: string, authority: Authority): Promise<CertificateInfo | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  const certificates = parseCertificates(text);
  if (!certificates.ok) throw new PromgateError('AUTHORITY_REFUSED', `${path}: ${certificates.message}`);
  const [leaf] = certificates.value;
  if (leaf === undefined || !isIssuedBy(leaf, authority)) {
    throw new PromgateError('AUTHORITY_REFUSED', `${path} was not issued by ${authority.paths.cert}`);
  }
  return leaf;
}
