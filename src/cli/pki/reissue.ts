/** Issues every certificate of the old CA anew from the new one: same names, purpose and lifetime, a new key. */
import { keyMatches } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { readIfThere, readIndex, recordIssued } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { IssuedCertificate } from '../../tls/authority/certificate-index.ts';
import { readCrls } from '../../tls/authority/crl-file.ts';
import { withLock } from '../../tls/authority/file-lock.ts';
import { issueAgain } from '../../tls/authority/issue.ts';
import { generateKey, isEncryptedKey, keyTypeLike, publicKeyOf } from '../../tls/authority/keys.ts';
import type { CertificateAndKey } from '../../tls/authority/keys.ts';
import { canReplaceTogether, settleAll } from '../../tls/authority/replace-together.ts';
import { kindOf } from '../../tls/authority/purpose.ts';
import { asRefusal } from './environment.ts';
import { certificatesIn, describe, issuedPaths, replaceIssued } from './issued-files.ts';
import type { FoundCertificate, IssuedPaths } from './issued-files.ts';
import { DAY_MS } from './lifetimes.ts';

export interface Reissued {
  readonly entry: IssuedCertificate;
  readonly paths: IssuedPaths;
  /** false: the key is elsewhere, or cannot change together with its certificate. */
  readonly hasNewKey: boolean;
}

/** A rotation: one CA in the place of another. */
export interface ReplacedCa {
  readonly old: CertificateInfo;
  readonly next: CertificateInfo;
}

/** Servers come last: whoever asks them has had the longer time to trust the new CA. */
export async function certificatesToReissue(
  authority: Authority,
  old: CertificateInfo,
  now: number,
): Promise<readonly FoundCertificate[]> {
  const [index, crls] = [await readIndex(authority.paths), await readCrls(authority)];
  const isRevoked = (serial: string): boolean =>
    index.revoked.some((entry) => entry.serial === serial) || crls.some(({ revoked }) => revoked.has(serial));
  const found = (await certificatesIn(authority)).filter(
    ({ leaf }) => leaf.issuerKey === old.subjectKey && leaf.notAfter > now && !isRevoked(leaf.serial),
  );
  const isServer = ({ leaf }: FoundCertificate): boolean => kindOf(leaf) === 'server';
  return [...found.filter((one) => !isServer(one)), ...found.filter(isServer)];
}

/**
 * What is left of the old CA elsewhere: in the index, good still, and without one of the next CA for its name. What an
 * earlier CA has issued, which is gone by now, replaces nothing.
 */
export async function certificatesElsewhere(
  authority: Authority,
  { old, next }: ReplacedCa,
  now: number,
): Promise<readonly IssuedCertificate[]> {
  const good = await goodCertificates(authority, now);
  const here = new Set((await certificatesIn(authority)).map(({ leaf }) => leaf.serial));
  // Of several after a renewal one is in use.
  const isHeld = ({ serial, issuer }: IssuedCertificate): boolean =>
    issuer === next.subjectKey || (issuer === old.subjectKey && here.has(serial));
  return good.filter(
    (entry) => entry.issuer === old.subjectKey && !good.some((one) => isSameHolder(one, entry) && isHeld(one)),
  );
}

export interface NewPin {
  readonly name: string;
  readonly old: string;
  readonly next: string;
}

/** The keys that are other ones under the next CA, as `spki` in `identities` names them. */
export async function newPins(
  authority: Authority,
  { old, next }: ReplacedCa,
  now: number,
): Promise<readonly NewPin[]> {
  const good = await goodCertificates(authority, now);
  const found = new Map<string, NewPin>();
  for (const entry of good.filter(({ issuer }) => issuer === old.subjectKey)) {
    const newest = good.findLast((one) => isSameHolder(one, entry) && one.issuer === next.subjectKey);
    if (newest === undefined || newest.spki === entry.spki) continue;
    found.set(entry.spki, { name: entry.name, old: entry.spki, next: newest.spki });
  }
  return [...found.values()];
}

/** Neither revoked nor ended. */
async function goodCertificates({ paths }: Authority, now: number): Promise<readonly IssuedCertificate[]> {
  const { issued, revoked } = await readIndex(paths);
  return issued.filter(({ serial, notAfter }) => notAfter > now && !revoked.some((entry) => entry.serial === serial));
}

function isSameHolder(one: IssuedCertificate, other: IssuedCertificate): boolean {
  return one.name === other.name && one.kind === other.kind;
}

/** What a crash has left half done in the directory is settled first. */
export async function settleDirectory({ paths }: Authority, clock: Clock): Promise<void> {
  await withLock(`${paths.lock}.files`, clock, () => settleAll(paths.directory));
}

/** One certificate. The index first: nothing that was signed is unknown to it. */
export async function reissue(
  authority: Authority,
  ca: CertificateAndKey,
  { base, leaf }: FoundCertificate,
  clock: Clock,
): Promise<Reissued> {
  const paths = issuedPaths(authority.paths.directory, base);
  const key = (await isKeyHere(paths)) ? generateKey(keyTypeLike(leaf.publicKeySpki)) : null;
  const kind = kindOf(leaf);
  const cert = await asRefusal(() =>
    issueAgain({
      ca,
      old: leaf,
      kind,
      publicKey: key === null ? leaf.publicKeySpki : publicKeyOf(key),
      days: Math.max(1, Math.round((leaf.notAfter - leaf.notBefore) / DAY_MS)),
      now: clock.now(),
    }),
  );
  const known = (await readIndex(authority.paths)).issued.find(({ serial }) => serial === leaf.serial);
  const entry = describe(cert, known?.name ?? base, kind);
  await recordIssued(authority.paths, clock, entry);
  await withLock(`${authority.paths.lock}.files`, clock, () => replaceIssued(paths, authority, { cert, key }));
  return { entry, paths, hasNewKey: key !== null };
}

/** A key without a passphrase that fits its certificate, both plain files: else it stays, and the certificate alone changes. */
async function isKeyHere(paths: IssuedPaths): Promise<boolean> {
  const key = await readIfThere(paths.key);
  if (key === null || isEncryptedKey(key)) return false;
  const cert = (await readIfThere(paths.cert)) ?? '';
  return keyMatches(cert, key).ok && (await canReplaceTogether([paths.cert, paths.key]));
}
