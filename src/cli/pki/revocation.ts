/** `promgate pki revoke` and `promgate pki crl`: who is out, and the list that tells the gates. */
import { dirname, join, resolve } from 'node:path';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { readIndex } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { CertificateIndex, IssuedCertificate } from '../../tls/authority/certificate-index.ts';
import { readCrls, updateCrl } from '../../tls/authority/crl-file.ts';
import { normalizeSerial } from '../../tls/authority/revocation-list.ts';
import type { RevocationReason } from '../../tls/authority/revocation-list.ts';
import type { Crl } from '../../formats/crl.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { readFacts } from '../init/configuration.ts';
import { readIfThere } from '../init/layout.ts';
import type { Terminal } from '../terminal.ts';
import { asRefusal, openAuthority, unlockAuthority } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { issuedPaths, readOwnCertificate } from './issued-files.ts';
import { DAY_MS, DEFAULT_CRL_DAYS } from './lifetimes.ts';

export interface RevokeOptions {
  readonly directory: string;
  /** A name of the index or of a file in the directory, a serial number, or a certificate file. */
  readonly target: string;
  readonly reason: RevocationReason;
}

export interface CrlOptions {
  readonly directory: string;
  /** null: as long as the list that is there, else 30 days. */
  readonly days: number | null;
  /** The number comes from the clock: higher than those of all lists that were made after the backup. */
  readonly restored: boolean;
}

export async function revokeCertificate(
  { directory, target, reason }: RevokeOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const authority = await openAuthority(directory);
  const { clock } = environment;
  const index = await readIndex(authority.paths);
  const found = await revocable(target, authority, index, clock.now());
  const { keys } = await unlockAuthority(authority, environment);
  const current = await readCrls(authority);
  const revoke = found.map((entry) => ({ ...entry, date: clock.now(), reason }));
  // Also when all of them are revoked already: the list may have been lost.
  await asRefusal(() => updateCrl(authority, clock, { keys, lifetimeMs: lifetimeOf(current), revoke }));
  for (const { serial } of found) {
    const known = index.issued.find((entry) => entry.serial === serial);
    const isRevoked = ({ revoked }: Crl): boolean => revoked.has(serial);
    const before = index.revoked.some((entry) => entry.serial === serial) || current.some(isRevoked);
    const name = known === undefined ? '' : ` of ${quoteForeign(known.name)}`;
    terminal.out(`${before ? 'was revoked before: ' : 'revoked '}serial ${serial}${name}`);
  }
  await tellLists(authority, terminal);
  // A script that shuts somebody out has to learn that the gate beside it goes on letting him in.
  return (await tellWhetherUsed(authority, terminal)) === 'unused' ? 1 : 0;
}

export async function makeRevocationList(
  { directory, days, restored }: CrlOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const authority = await openAuthority(directory);
  const { keys } = await unlockAuthority(authority, environment);
  const { clock } = environment;
  const lifetimeMs = days === null ? lifetimeOf(await readCrls(authority)) : days * DAY_MS;
  const leastNumber = restored ? BigInt(Math.floor(clock.now() / 1000)) : 0n;
  await asRefusal(() => updateCrl(authority, clock, { keys, lifetimeMs, leastNumber }));
  await tellLists(authority, terminal);
  await tellWhetherUsed(authority, terminal);
  return 0;
}

/** How long the lists that are there are valid: what the operator chose once goes on. */
export function lifetimeOf([crl]: readonly Crl[]): number {
  const lifetime = (crl?.nextUpdate ?? 0) - (crl?.thisUpdate ?? 0);
  return lifetime > 0 ? lifetime : DEFAULT_CRL_DAYS * DAY_MS;
}

interface Revocable {
  readonly serial: string;
  /** Absent: not known, it goes to the list of every CA. */
  readonly issuer?: string;
}

/** Every certificate of a name that has not ended: after a renewal its holder has several. */
async function revocable(
  target: string,
  authority: Authority,
  { issued }: CertificateIndex,
  now: number,
): Promise<readonly Revocable[]> {
  const named = issued.filter(({ name, notAfter }) => name === target && notAfter > now).map(asRevocable);
  const inFile = await certificateInFile(target, authority);
  const found = new Map(
    (inFile === null ? named : [...named, { serial: inFile.serial, issuer: inFile.issuerKey }]).map((entry) => [
      entry.serial,
      entry,
    ]),
  );
  if (found.size > 0) return [...found.values()];
  const forced = /^serial:/i.test(target);
  const hex = normalizeSerial(target.replace(/^serial:/i, '').replaceAll(':', ''));
  // A short one may be a mistyped name; openssl's own CAs count from 01.
  const known = issued.find(({ serial }) => serial === hex);
  if (known !== undefined) return [asRevocable(known)];
  if (hex !== null && (forced || hex.length >= 16)) return [{ serial: hex }];
  throw new PromgateError('AUTHORITY_REFUSED', `there is no certificate ${quoteForeign(target)} that has not ended`, {
    hint: '`promgate pki list` shows them; serial:HEX revokes a serial number that it does not know',
  });
}

function asRevocable({ serial, issuer }: IssuedCertificate): Revocable {
  return issuer === undefined ? { serial } : { serial, issuer };
}

async function certificateInFile(target: string, authority: Authority): Promise<CertificateInfo | null> {
  if (/[/\\]|\.(?:crt|pem|cer)$/.test(target)) return readOwnCertificate(target, authority);
  if (!/^[A-Za-z0-9_*][A-Za-z0-9._*:@-]*$/.test(target) || /^ca(?:-index)?$|\.chain$/i.test(target)) return null;
  const { cert } = issuedPaths(authority.paths.directory, target);
  return readOwnCertificate(cert, authority);
}

async function tellLists(authority: Authority, terminal: Terminal): Promise<void> {
  const lists = await readCrls(authority);
  for (const { issuer, number, nextUpdate, revoked } of lists) {
    const end = nextUpdate === null ? 'for ever' : `until ${new Date(nextUpdate).toISOString()}`;
    const of = lists.length === 1 ? '' : ` of ${issuer}`;
    const what = `number ${String(number)}${of}, ${String(revoked.size)} revoked, valid ${end}`;
    terminal.err(`promgate: wrote ${authority.paths.crl}: ${what}`);
  }
}

/** A list that nobody reads revokes nothing: better said than found out. */
async function tellWhetherUsed({ paths }: Authority, terminal: Terminal): Promise<'used' | 'unused' | 'unknown'> {
  const base = dirname(resolve(paths.directory));
  const config = join(base, 'promgate.yml');
  const text = await readIfThere(config).catch(() => null);
  const facts = text === null ? null : readFacts(text, base);
  if (facts?.clientCrls.includes(resolve(paths.crl)) === true) return 'used';
  const isUnused = facts !== null && facts.clientCa === resolve(paths.cert);
  if (isUnused) {
    terminal.err(`promgate: warning: ${config} does not name this list: a gate that runs with it refuses nobody by it`);
  }
  terminal.err(
    `promgate: hint: a gate reads it with client_crl_files: [${JSON.stringify(resolve(paths.crl))}] in ` +
      'tls_server_config; on other hosts put a copy in the place of the old one',
  );
  return isUnused ? 'unused' : 'unknown';
}
