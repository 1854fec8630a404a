/**
 * `ca.crl`: the revocation list of the own CA, during a rotation of both. The only place that writes it, one writer at a
 * time, as a whole. A revocation is never forgotten, also when index or list was lost.
 */
import { parseCrls } from '../../formats/crl.ts';
import type { Crl } from '../../formats/crl.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { ownCas, readAuthority, readIfThere, readIndex, writeIndex, writeWhole } from './authority-directory.ts';
import type { Authority } from './authority-directory.ts';
import type { RevokedCertificate } from './certificate-index.ts';
import { withLock } from './file-lock.ts';
import { makeCrl, normalizeSerial, readRevoked } from './revocation-list.ts';

/** Clocks of hosts differ: a list that is made now must be valid where it is a little earlier. */
const BACKDATED_MS = 5 * 60_000;

/**
 * The newest list of each of these CAs that is in the file, in the order of the CAs.
 * @throws {PromgateError} AUTHORITY_REFUSED when the file is damaged.
 */
export async function readCrls({ paths, certificates }: CrlPlace): Promise<readonly Crl[]> {
  const text = await readIfThere(paths.crl);
  if (text === null) return [];
  const crls = parseCrls(text);
  if (!crls.ok) {
    throw new PromgateError('AUTHORITY_REFUSED', `${paths.crl}: ${crls.message}`, {
      hint: `move it away and run \`promgate pki crl\`: what ${paths.index} has revoked is in the new list`,
    });
  }
  return certificates.flatMap((certificate) => newestOf(crls.value, certificate) ?? []);
}

type CrlPlace = Pick<Authority, 'paths' | 'certificates'>;

function newestOf(crls: readonly Crl[], { subjectKey }: CertificateInfo): Crl | null {
  let newest: Crl | null = null;
  for (const crl of crls) {
    if (crl.issuerKey === subjectKey && (newest === null || (crl.number ?? 0n) > (newest.number ?? 0n))) newest = crl;
  }
  return newest;
}

/** The list of the CA that signs; null when there is none. @throws {PromgateError} as `readCrls`. */
export async function readCrl(authority: CrlPlace): Promise<Crl | null> {
  const [signing] = authority.certificates;
  const crls = await readCrls(authority);
  return crls.find(({ issuerKey }) => issuerKey === signing?.subjectKey) ?? null;
}

export interface CrlUpdate {
  /** PEM, without a passphrase. The list of a CA whose key is not among them stays as it is. */
  readonly keys: readonly string[];
  /** How long the new lists are valid. */
  readonly lifetimeMs: number;
  readonly revoke?: readonly RevokedCertificate[];
  /** The new number is at least this one: after a restored backup the numbers that it knows were used already. */
  readonly leastNumber?: bigint;
  /** Asked under the lock, with the lists that are there: true leaves everything as it is. */
  readonly unless?: (current: readonly Crl[]) => boolean;
}

/**
 * Revokes what is to be revoked and writes new lists with the next number. The index is written first: what crashes in
 * between is revoked by the next list.
 * @returns the list of the CA that signs, as it is in the file now.
 */
export async function updateCrl(authority: Authority, clock: Clock, update: CrlUpdate): Promise<Crl | null> {
  return withLock(authority.paths.lock, clock, async () => {
    // What was read before the lock, or before somebody typed a passphrase, may be from before a step of a rotation.
    const now = await readAuthority(authority.paths.directory);
    return updateCrlLocked(now ?? authority, clock, update);
  });
}

/** For who holds the lock. */
export async function updateCrlLocked(authority: Authority, clock: Clock, update: CrlUpdate): Promise<Crl | null> {
  const { paths } = authority;
  const current = await readCrls(authority);
  if (update.unless?.(current) === true) return readCrl(authority);
  const index = await readIndex(paths);
  const revoked = await allRevoked([...index.revoked, ...(update.revoke ?? [])], current);
  const number = nextNumber([index.crlNumber, ...current.map((crl) => crl.number ?? 0n)], update.leastNumber ?? 0n);
  await writeIndex(paths, clock, { ...index, revoked, crlNumber: number });
  const lists: string[] = [];
  const cas = ownCas(authority, update.keys);
  for (const certificate of authority.certificates) {
    const ca = cas.find((one) => one.certificate === certificate);
    const dates = datesOf(certificate, clock.now(), update.lifetimeMs);
    if (certificate === authority.certificate && dates === null) {
      throw refused(`${paths.cert} has ended: it signs no list any more`);
    }
    if (ca === undefined || dates === null) {
      lists.push(newestOf(current, certificate)?.pem ?? '');
      continue;
    }
    const own = revoked.filter(({ issuer }) => issuer === undefined || issuer === certificate.subjectKey);
    lists.push(await makeCrl({ ca: { cert: certificate.pem, key: ca.key }, revoked: own, number, ...dates }));
  }
  await writeWhole(paths.crl, lists.join(''), 0o644);
  return readCrl(authority);
}

/** One serial number, one entry; the index knows best. What two lists name that it does not know is of either CA. */
async function allRevoked(
  known: readonly RevokedCertificate[],
  current: readonly Crl[],
): Promise<readonly RevokedCertificate[]> {
  const all = new Map<string, RevokedCertificate>();
  for (const entry of known) if (!all.has(plainSerial(entry))) all.set(plainSerial(entry), entry);
  const indexed = new Set(all.keys());
  for (const { pem, issuerKey } of current) {
    for (const entry of await readRevoked(pem)) {
      const serial = plainSerial(entry);
      if (indexed.has(serial)) continue;
      const found: RevokedCertificate = { reason: 'unspecified', ...entry };
      all.set(serial, all.has(serial) ? found : { ...found, issuer: issuerKey });
    }
  }
  return Array.from(all, ([serial, entry]) => ({ ...entry, serial }));
}

function plainSerial({ serial }: { readonly serial: string }): string {
  const plain = normalizeSerial(serial);
  if (plain === null) throw refused(`${JSON.stringify(serial)} is not a hex serial number`);
  return plain;
}

/** One counter for all lists of the directory: what is higher for one CA is higher for the other. */
function nextNumber(used: readonly bigint[], least: bigint): bigint {
  const next = used.reduce((highest, number) => (number > highest ? number : highest), 0n) + 1n;
  return next > least ? next : least;
}

/** null: the CA has ended. */
function datesOf(
  { notBefore, notAfter }: CertificateInfo,
  now: number,
  lifetimeMs: number,
): { readonly thisUpdate: number; readonly nextUpdate: number } | null {
  const thisUpdate = Math.max(now - BACKDATED_MS, notBefore);
  const nextUpdate = Math.min(thisUpdate + lifetimeMs, notAfter);
  return nextUpdate <= now ? null : { thisUpdate, nextUpdate };
}

function refused(message: string): PromgateError {
  return new PromgateError('AUTHORITY_REFUSED', message);
}
