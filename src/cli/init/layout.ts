/** Where `init` keeps what, and in what state each certificate with its key is. Reads, never writes. */
import { lstat, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { keyMatches, parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { splitKeys } from '../../tls/authority/keys.ts';
import type { CertificateAndKey } from '../../tls/authority/keys.ts';

export interface PairPaths {
  readonly cert: string;
  readonly key: string;
}

export interface Layout {
  readonly directory: string;
  readonly certs: string;
  readonly config: string;
  readonly htpasswd: string;
  readonly initialPassword: string;
  readonly ca: PairPaths;
  readonly server: PairPaths;
  /** The CA of the clients where it is not the own one: `init --client-ca`. */
  readonly clientCa: string;
  /** Its revocation list. */
  readonly clientCrl: string;
  /** The central Prometheus. */
  readonly client: PairPaths;
}

/** What is there of a certificate and its key. */
export type PairState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'key-only'; readonly key: string }
  | { readonly kind: 'cert-only'; readonly certificate: CertificateInfo }
  | { readonly kind: 'complete'; readonly pair: CertificateAndKey; readonly certificate: CertificateInfo }
  | { readonly kind: 'unusable'; readonly message: string };

/** @param stateDirectory where what the gate renews is kept; default: beside the configuration. */
export function layoutOf(directory: string, stateDirectory = directory): Layout {
  const certs = join(stateDirectory, 'certs');
  const pair = (name: string): PairPaths => ({ cert: join(certs, `${name}.crt`), key: join(certs, `${name}.key`) });
  return {
    directory,
    certs,
    config: join(directory, 'promgate.yml'),
    htpasswd: join(directory, '.htpasswd'),
    initialPassword: join(directory, 'initial-password'),
    ca: pair('ca'),
    server: pair('server'),
    clientCa: join(certs, 'client-ca.crt'),
    clientCrl: join(certs, 'client-ca.crl'),
    client: pair('prometheus'),
  };
}

/** The state directory that a configuration which `init` wrote names; null when its certificates are elsewhere. */
export function stateDirectoryOf(files: readonly (string | null)[]): string | null {
  for (const file of files) {
    const certs = file === null ? '' : dirname(file);
    if (basename(certs) === 'certs' && /^(?:server|ca)\.crt$/.test(basename(file ?? ''))) return dirname(certs);
  }
  return null;
}

export async function readPair(paths: PairPaths): Promise<PairState> {
  try {
    const [cert, keys] = [await readIfThere(paths.cert), await readIfThere(paths.key)];
    const key = cert === null || keys === null ? keys : ownKey(cert, keys);
    if (cert === null) return key === null ? { kind: 'absent' } : { kind: 'key-only', key };
    const certificates = parseCertificates(cert);
    if (!certificates.ok) return { kind: 'unusable', message: `${paths.cert}: ${certificates.message}` };
    const [certificate] = certificates.value;
    if (certificate === undefined) return { kind: 'unusable', message: `${paths.cert}: no certificate found` };
    if (key === null) return { kind: 'cert-only', certificate };
    const matches = keyMatches(cert, key);
    if (!matches.ok) return { kind: 'unusable', message: `${paths.key}: ${matches.message}` };
    return { kind: 'complete', pair: { cert, key }, certificate };
  } catch (error) {
    if (error instanceof PromgateError) return { kind: 'unusable', message: error.message };
    throw error;
  }
}

/** During a rotation of the CA its key file has two keys. */
function ownKey(cert: string, keys: string): string {
  return splitKeys(keys).find((key) => keyMatches(cert, key).ok) ?? keys;
}

/** Private keys that every user of this host can read. */
export async function exposedKeys({ ca, server, client }: Layout): Promise<readonly string[]> {
  const exposed: string[] = [];
  for (const { key } of [ca, server, client]) {
    const stats = await stat(key).catch(() => null);
    if (stats !== null && (stats.mode & 0o004) !== 0) exposed.push(key);
  }
  return exposed;
}

/**
 * The text of a file, null when nothing of that name is there. A dangling link is something.
 * @throws {PromgateError} FILE_UNSAFE when it is there and cannot be read.
 */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT' && (await lstat(path).catch(() => null)) === null) return null;
    throw new PromgateError('FILE_UNSAFE', `cannot read ${path}: ${code}`, { cause: error });
  }
}
