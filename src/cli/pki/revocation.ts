/** `promgate pki revoke` and `promgate pki crl`: who is out, and the list that tells the gates. */
import { dirname, join, resolve } from 'node:path';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { readCrl, readIndex, updateCrl } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { CertificateIndex } from '../../tls/authority/certificate-index.ts';
import { normalizeSerial } from '../../tls/authority/revocation-list.ts';
import type { RevocationReason } from '../../tls/authority/revocation-list.ts';
import type { Crl } from '../../formats/crl.ts';
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
}

export async function revokeCertificate(
  { directory, target, reason }: RevokeOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const authority = await openAuthority(directory);
  const { clock } = environment;
  const index = await readIndex(authority.paths);
  const serials = await serialsOf(target, authority, index, clock.now());
  const { key } = await unlockAuthority(authority, environment);
  const current = await readCrl(authority);
  const revoke = serials.map((serial) => ({ serial, date: clock.now(), reason }));
  // Also when all of them are revoked already: the list may have been lost.
  const crl = await asRefusal(() => updateCrl(authority, clock, { key, lifetimeMs: lifetimeOf(current), revoke }));
  for (const serial of serials) {
    const known = index.issued.find((entry) => entry.serial === serial);
    const before = index.revoked.some((entry) => entry.serial === serial) || current?.revoked.has(serial) === true;
    const name = known === undefined ? '' : ` of ${quoteForeign(known.name)}`;
    terminal.out(`${before ? 'was revoked before: ' : 'revoked '}serial ${serial}${name}`);
  }
  tellList(authority, crl, terminal);
  await tellWhetherUsed(authority, terminal);
  return 0;
}

export async function makeRevocationList(
  { directory, days }: CrlOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const authority = await openAuthority(directory);
  const { key } = await unlockAuthority(authority, environment);
  const current = await readCrl(authority);
  const lifetimeMs = days === null ? lifetimeOf(current) : days * DAY_MS;
  const crl = await asRefusal(() => updateCrl(authority, environment.clock, { key, lifetimeMs }));
  tellList(authority, crl, terminal);
  await tellWhetherUsed(authority, terminal);
  return 0;
}

function lifetimeOf(crl: Crl | null): number {
  const lifetime = (crl?.nextUpdate ?? 0) - (crl?.thisUpdate ?? 0);
  return lifetime > 0 ? lifetime : DEFAULT_CRL_DAYS * DAY_MS;
}

/** Every certificate of a name that has not ended: after a renewal its holder has several. */
async function serialsOf(
  target: string,
  authority: Authority,
  { issued }: CertificateIndex,
  now: number,
): Promise<readonly string[]> {
  const named = issued.filter(({ name, notAfter }) => name === target && notAfter > now).map(({ serial }) => serial);
  const inFile = await serialInFile(target, authority);
  const serials = new Set(inFile === null ? named : [...named, inFile]);
  if (serials.size > 0) return [...serials];
  const forced = /^serial:/i.test(target);
  const hex = normalizeSerial(target.replace(/^serial:/i, '').replaceAll(':', ''));
  // A short one may be a mistyped name; openssl's own CAs count from 01.
  const isKnown = issued.some(({ serial }) => serial === hex);
  if (hex !== null && (forced || hex.length >= 16 || isKnown)) return [hex];
  throw new PromgateError('AUTHORITY_REFUSED', `there is no certificate ${quoteForeign(target)} that has not ended`, {
    hint: '`promgate pki list` shows them; serial:HEX revokes a serial number that it does not know',
  });
}

async function serialInFile(target: string, authority: Authority): Promise<string | null> {
  if (/[/\\]|\.(?:crt|pem|cer)$/.test(target)) return (await readOwnCertificate(target, authority))?.serial ?? null;
  if (!/^[A-Za-z0-9_*][A-Za-z0-9._*:@-]*$/.test(target) || /^ca(?:-index)?$|\.chain$/i.test(target)) return null;
  const { cert } = issuedPaths(authority.paths.directory, target);
  return (await readOwnCertificate(cert, authority))?.serial ?? null;
}

function tellList({ paths }: Authority, crl: Crl | null, terminal: Terminal): void {
  if (crl === null) return;
  const end = crl.nextUpdate === null ? 'for ever' : `until ${new Date(crl.nextUpdate).toISOString()}`;
  const count = String(crl.revoked.size);
  terminal.err(`promgate: wrote ${paths.crl}: number ${String(crl.number)}, ${count} revoked, valid ${end}`);
}

/** A list that nobody reads revokes nothing: better said than found out. */
async function tellWhetherUsed({ paths }: Authority, terminal: Terminal): Promise<void> {
  const base = dirname(resolve(paths.directory));
  const config = join(base, 'promgate.yml');
  const text = await readIfThere(config).catch(() => null);
  const facts = text === null ? null : readFacts(text, base);
  if (facts?.clientCrls.includes(resolve(paths.crl)) === true) return;
  if (facts !== null && facts.clientCa === resolve(paths.cert)) {
    terminal.err(`promgate: warning: ${config} does not name this list: a gate that runs with it refuses nobody by it`);
  }
  terminal.err(
    `promgate: hint: a gate reads it with client_crl_files: [${JSON.stringify(resolve(paths.crl))}] in ` +
      'tls_server_config; on other hosts put a copy in the place of the old one',
  );
}
