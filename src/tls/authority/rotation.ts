/**
 * The rotation of the own CA, step by step: a new one beside the old, the new one signs, the old one goes. No state of its
 * own: where a rotation stands is what ca.crt and ca.key hold. Every step is one write of one file, and the order of the
 * writes is such that whatever was valid before is valid after each of them.
 */
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { replaceFile } from '../../lib/private-file.ts';
import { ownCas, readAuthority, readIndex, writeIndex } from './authority-directory.ts';
import type { Authority, OwnCa } from './authority-directory.ts';
import { readCrls, updateCrlLocked } from './crl-file.ts';
import { withLock } from './file-lock.ts';
import { splitKeys } from './keys.ts';
import { succeed } from './successor.ts';

export type RotationStage =
  | { readonly kind: 'none'; readonly ca: OwnCa }
  /** Both are to be trusted, the old one signs. */
  | { readonly kind: 'prepared'; readonly old: OwnCa; readonly ca: OwnCa }
  /** Both are to be trusted, the new one signs. */
  | { readonly kind: 'switched'; readonly old: OwnCa; readonly ca: OwnCa };

/** What signs, in the clear, and how a key is written. */
export interface RotationKeys {
  readonly keys: readonly string[];
  /** Under the passphrase of the old key, where it has one. */
  readonly protect: (pem: string) => string;
}

/**
 * @param keys PEM, in the clear: those of ca.key.
 * @throws {PromgateError} AUTHORITY_REFUSED when more than two CAs are there with their keys.
 */
export function rotationStage(authority: Authority, keys: readonly string[]): RotationStage {
  const [signing, other, ...more] = ownCas(authority, keys);
  if (signing === undefined || more.length > 0) {
    throw new PromgateError(
      'AUTHORITY_REFUSED',
      `${authority.paths.cert} and ${authority.paths.key} do not go together`,
    );
  }
  if (other === undefined) return { kind: 'none', ca: signing };
  return other.certificate.notBefore > signing.certificate.notBefore
    ? { kind: 'prepared', old: signing, ca: other }
    : { kind: 'switched', old: other, ca: signing };
}

/**
 * A new CA beside the old one, which signs still. Done already, it does what is missing of it. A key of ca.key that
 * belongs to no certificate is left over from a crash, and goes.
 * @returns the keys of ca.key from now on.
 */
export async function prepareRotation(
  directory: string,
  clock: Clock,
  { keys, protect }: RotationKeys,
  lifetimeMs: number,
): Promise<readonly string[]> {
  return inDirectory(directory, clock, keys, async (authority) => {
    const { paths, bundle } = authority;
    const stage = rotationStage(authority, keys);
    if (stage.kind === 'switched') return keys;
    let now = authority;
    let all = keys;
    if (stage.kind === 'none') {
      const { ca: old } = stage;
      const next = await succeed({ cert: old.certificate.pem, key: old.key }, clock.now());
      all = [old.key, next.key];
      // The key first: a certificate without its key would be trusted for nothing.
      await replaceFile(paths.key, all.map(protect).join(''));
      await replaceFile(paths.cert, `${bundle.trimEnd()}\n${next.cert}`);
      now = await reopened(directory);
    }
    const index = await readIndex(paths);
    const issuer = authority.certificate.subjectKey;
    await writeIndex(paths, clock, {
      ...index,
      issued: index.issued.map((entry) => ({ issuer, ...entry })),
      revoked: index.revoked.map((entry) => ({ issuer, ...entry })),
    });
    // Where one list is in use, OpenSSL wants one of every CA. After ca.crt: a gate refuses the list of a CA that it
    // does not know.
    const lists = (await readCrls(now)).length;
    if (lists > 0 && lists < ownCas(now, all).length) await updateCrlLocked(now, clock, { keys: all, lifetimeMs });
    return all;
  });
}

/** From now on the new CA signs. ca.crt decides; the order of the keys follows for those who read the first one only. */
export async function switchSigner(directory: string, clock: Clock, { keys, protect }: RotationKeys): Promise<void> {
  await inDirectory(directory, clock, keys, async (authority) => {
    const { paths, certificates } = authority;
    const stage = rotationStage(authority, keys);
    if (stage.kind === 'none') throw new PromgateError('AUTHORITY_REFUSED', 'no rotation has begun');
    const { ca, old } = stage;
    if (stage.kind === 'prepared') {
      const others = certificates.filter((one) => one !== ca.certificate);
      await replaceFile(paths.cert, bundleOf([ca.certificate, ...others]));
    }
    await replaceFile(paths.key, protect(ca.key) + protect(old.key));
  });
}

/** The old CA goes, and with it its list, its key and what it had revoked. */
export async function endRotation(
  directory: string,
  clock: Clock,
  { keys, protect }: RotationKeys,
  lifetimeMs: number,
): Promise<void> {
  await inDirectory(directory, clock, keys, async (authority) => {
    const { paths } = authority;
    const stage = rotationStage(authority, keys);
    if (stage.kind === 'prepared') throw new PromgateError('AUTHORITY_REFUSED', 'the new CA does not sign yet');
    if (stage.kind === 'switched') {
      const certificates = authority.certificates.filter((one) => one !== stage.old.certificate);
      // Before ca.crt: a gate refuses the list of a CA that it does not know.
      if ((await readCrls(authority)).length > 0) {
        await updateCrlLocked({ ...authority, certificates }, clock, { keys: [stage.ca.key], lifetimeMs });
      }
      await replaceFile(paths.cert, bundleOf(certificates));
    }
    // Only once nobody trusts it any more: a crash before this leaves its revocations for the next list.
    const trusted = new Set((await reopened(directory)).certificates.map(({ subjectKey }) => subjectKey));
    const index = await readIndex(paths);
    const revoked = index.revoked.filter(({ issuer }) => issuer === undefined || trusted.has(issuer));
    if (revoked.length < index.revoked.length) await writeIndex(paths, clock, { ...index, revoked });
    await replaceFile(paths.key, protect(stage.ca.key));
  });
}

function bundleOf(certificates: readonly CertificateInfo[]): string {
  return certificates.map(({ pem }) => pem).join('');
}

/** Under the lock, on what is there now; keys of before another command's change would replace what it has written. */
async function inDirectory<T>(
  directory: string,
  clock: Clock,
  keys: readonly string[],
  work: (authority: Authority) => Promise<T>,
): Promise<T> {
  const { paths } = await reopened(directory);
  return withLock(paths.lock, clock, async () => {
    const authority = await reopened(directory);
    const { key } = authority;
    const there = key.kind === 'ready' ? key.pems : key.kind === 'encrypted' ? splitKeys(key.pem) : [];
    const isSame = there.length === keys.length && (key.kind !== 'ready' || there.every((pem) => keys.includes(pem)));
    if (isSame) return work(authority);
    throw new PromgateError('AUTHORITY_REFUSED', `${paths.key} was changed by another command meanwhile`, {
      hint: 'run the command again',
    });
  });
}

async function reopened(directory: string): Promise<Authority> {
  const authority = await readAuthority(directory);
  if (authority === null) throw new PromgateError('AUTHORITY_REFUSED', `there is no CA in ${directory}`);
  return authority;
}
