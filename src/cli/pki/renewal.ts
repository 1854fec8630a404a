/** `promgate pki renew NAME`: the same names for another time, with the same key unless asked otherwise. */
import { keyMatches } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { readIfThere, readIndex, recordIssued } from '../../tls/authority/authority-directory.ts';
import { readCrls } from '../../tls/authority/crl-file.ts';
import { issueAgain } from '../../tls/authority/issue.ts';
import { generateKey, isUsableKey, keyTypeLike, publicKeyOf } from '../../tls/authority/keys.ts';
import { settleTogether } from '../../tls/authority/replace-together.ts';
import { kindOf } from '../../tls/authority/purpose.ts';
import { shellWord } from '../init/next-steps.ts';
import type { Terminal } from '../terminal.ts';
import { asRefusal, openAuthority, unlockAuthority } from './environment.ts';
import { enrolledPaths } from './enrolled-files.ts';
import type { PkiEnvironment } from './environment.ts';
import { describe, issuedPaths, readOwnCertificate, replaceIssued } from './issued-files.ts';
import { DAY_MS } from './lifetimes.ts';

export interface RenewOptions {
  readonly directory: string;
  readonly name: string;
  /** null: as long as it had. */
  readonly days: number | null;
  readonly newKey: boolean;
}

export async function renewCertificate(
  { directory, name, days, newKey }: RenewOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const paths = issuedPaths(directory, name);
  const authority = await openAuthority(directory, () => renewEnrolledHint(directory, name));
  await settleTogether(paths.cert);
  const old = await readOwnCertificate(paths.cert, authority);
  if (old === null) {
    throw new PromgateError('AUTHORITY_REFUSED', `${paths.cert} does not exist`, {
      hint: '`promgate pki list` shows what there is, `promgate pki issue` makes a new one',
    });
  }
  const [index, crls] = [await readIndex(authority.paths), await readCrls(authority)];
  if (
    index.revoked.some(({ serial }) => serial === old.serial) ||
    crls.some(({ revoked }) => revoked.has(old.serial))
  ) {
    throw new PromgateError('AUTHORITY_REFUSED', `${paths.cert} is revoked: it is not renewed`, {
      hint: 'move its files away and issue a new one',
    });
  }
  const oldKey = await readIfThere(paths.key);
  if (oldKey === null) {
    throw new PromgateError('AUTHORITY_REFUSED', `${paths.key} is not here`, {
      hint: 'a certificate whose key is elsewhere is renewed with `promgate pki sign`',
    });
  }
  const matches = keyMatches((await readIfThere(paths.cert)) ?? '', oldKey);
  if (!newKey && (!matches.ok || !isUsableKey(oldKey))) {
    const reason = matches.ok ? 'it is not a key that can be certified' : matches.message;
    throw new PromgateError('AUTHORITY_REFUSED', `${paths.key}: ${reason}`, { hint: '--new-key makes a new one' });
  }
  const ca = await unlockAuthority(authority, environment);
  const key = newKey ? generateKey(keyTypeLike(old.publicKeySpki)) : oldKey;
  const kind = kindOf(old);
  const lifetime = days ?? Math.max(1, Math.round((old.notAfter - old.notBefore) / DAY_MS));
  const request = { ca, old, kind, days: lifetime, now: environment.clock.now() };
  const cert = await asRefusal(() => issueAgain({ ...request, publicKey: publicKeyOf(key) }));
  const known = index.issued.find(({ serial }) => serial === old.serial);
  const entry = describe(cert, known?.name ?? name, kind);
  await recordIssued(authority.paths, environment.clock, entry);
  const written = await replaceIssued(paths, authority, { cert, key: newKey ? key : null });
  for (const path of written) terminal.err(`promgate: renewed ${path}`);
  const end = new Date(entry.notAfter).toISOString().slice(0, 10);
  terminal.out(`${quoteForeign(entry.name)}: serial ${entry.serial}, valid until ${end}, ${entry.spki}`);
  if (newKey && old.notAfter > environment.clock.now()) {
    terminal.err(
      `promgate: hint: the certificate with the old key is still valid: \`promgate pki revoke ${old.serial}\` ends it`,
    );
  }
  return 0;
}

/** On the host of an enrolled client there is no CA, and none is wanted. */
async function renewEnrolledHint(directory: string, name: string): Promise<string | null> {
  for (const at of new Set(['.', directory])) {
    const { state, ca } = enrolledPaths(at, name);
    if ((await readIfThere(state)) === null && (await readIfThere(ca)) === null) continue;
    const where = at === '.' ? '' : ` --directory=${shellWord(at)}`;
    return `\`promgate pki enroll ${shellWord(name)} --renew${where}\` renews a certificate that a gate has issued`;
  }
  return null;
}
