/** `promgate pki list`: everything that the own CA has issued, as a table or as JSON. */
import { stat } from 'node:fs/promises';
import type { Crl } from '../../formats/crl.ts';
import { spkiPin } from '../../formats/spki-pin.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import { readIndex } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { CertificateIndex, IssuedCertificate } from '../../tls/authority/certificate-index.ts';
import { readCrls } from '../../tls/authority/crl-file.ts';
import { kindOf } from '../../tls/authority/purpose.ts';
import type { Terminal } from '../terminal.ts';
import { openAuthority } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { asIssued, certificatesIn } from './issued-files.ts';
import { DAY_MS } from './lifetimes.ts';

export interface ListOptions {
  readonly directory: string;
  readonly output: 'table' | 'json';
}

/** `untrusted`: its CA is gone. */
export type CertificateState = 'valid' | 'expiring' | 'expired' | 'revoked' | 'untrusted';

interface Row extends Omit<IssuedCertificate, 'kind' | 'issuer'> {
  readonly kind: IssuedCertificate['kind'] | 'ca';
  readonly state: CertificateState;
  /** The subject of its CA; null: a CA that a rotation has taken away. */
  readonly ca: string | null;
}

export async function listCertificates(
  { directory, output }: ListOptions,
  terminal: Terminal,
  { clock }: PkiEnvironment,
): Promise<number> {
  const authority = await openAuthority(directory);
  const index = await readIndex(authority.paths);
  const crls = await readCrls(authority);
  const issued = [...index.issued, ...(await unrecorded(authority, index))];
  const now = clock.now();
  const rows = [
    ...authority.certificates.map((ca) => authorityRow(ca, now)),
    ...issued
      .map((entry): Row => ({ ...entry, ...judged(entry, { authority, index, crls, now }) }))
      .sort((a, b) => compare(a.name, b.name) || a.notAfter - b.notAfter),
  ];
  terminal.out(output === 'json' ? asJson(rows, crls, now) : asTable(rows, crls, now));
  await warnOfOpenKey(authority.paths.key, terminal);
  return 0;
}

interface Known {
  readonly authority: Authority;
  readonly index: CertificateIndex;
  readonly crls: readonly Crl[];
  readonly now: number;
}

/** An index from before its first rotation does not say which CA it was: there was one. */
function judged(entry: IssuedCertificate, { authority, index, crls, now }: Known): Pick<Row, 'ca' | 'state'> {
  const { issuer = authority.certificate.subjectKey } = entry;
  const ca = authority.certificates.find(({ subjectKey }) => subjectKey === issuer);
  if (ca === undefined) return { ca: null, state: entry.notAfter <= now ? 'expired' : 'untrusted' };
  return { ca: ca.subject, state: stateOf(entry, index, crls, now) };
}

/** With less than a third of its life left a certificate wants to be renewed. */
export function stateOf(
  { serial, notBefore, notAfter }: Pick<IssuedCertificate, 'serial' | 'notBefore' | 'notAfter'>,
  index: Pick<CertificateIndex, 'revoked'>,
  crls: readonly Pick<Crl, 'revoked'>[],
  now: number,
): CertificateState {
  const isListed = crls.some(({ revoked }) => revoked.has(serial));
  if (isListed || index.revoked.some((entry) => entry.serial === serial)) return 'revoked';
  if (notAfter <= now) return 'expired';
  return notAfter - now < (notAfter - notBefore) / 3 ? 'expiring' : 'valid';
}

/** A copy that was brought back from a backup may have come without its mode. */
async function warnOfOpenKey(key: string, terminal: Terminal): Promise<void> {
  const stats = await stat(key).catch(() => null);
  if (stats === null || (stats.mode & 0o007) === 0) return;
  terminal.err(`promgate: warning: every user of this host may read or replace ${key}`);
  terminal.err(`promgate: hint: chmod 600 ${key}`);
}

/** Certificates of this CA that lie in the directory and were not made by `pki`. */
async function unrecorded(authority: Authority, { issued }: CertificateIndex): Promise<readonly IssuedCertificate[]> {
  const found = await certificatesIn(authority);
  return found
    .filter(({ leaf }) => !issued.some(({ serial }) => serial === leaf.serial))
    .map(({ base, leaf }) => asIssued(leaf, base, kindOf(leaf)));
}

function authorityRow(certificate: CertificateInfo, now: number): Row {
  const { subject, serial, notBefore, notAfter, publicKeySpki } = certificate;
  const state = stateOf(certificate, { revoked: [] }, [], now);
  const spki = spkiPin(publicKeySpki);
  return { name: subject, kind: 'ca', ca: subject, serial, notBefore, notAfter, spki, state };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function daysLeft(notAfter: number, now: number): number {
  return Math.floor((notAfter - now) / DAY_MS);
}

function asJson(rows: readonly Row[], crls: readonly Crl[], now: number): string {
  const date = (ms: number): string => new Date(ms).toISOString();
  return JSON.stringify(
    {
      certificates: rows.map(({ name, kind, ca, serial, notBefore, notAfter, spki, state }) => ({
        name,
        kind,
        ca,
        serial,
        not_before: date(notBefore),
        not_after: date(notAfter),
        days_left: daysLeft(notAfter, now),
        state,
        spki,
      })),
      crls: crls.map(({ issuer, number, thisUpdate, nextUpdate, revoked }) => ({
        ca: issuer,
        number: number?.toString() ?? null,
        this_update: date(thisUpdate),
        next_update: nextUpdate === null ? null : date(nextUpdate),
        revoked: [...revoked].sort(),
      })),
    },
    null,
    2,
  );
}

const HEAD = ['NAME', 'KIND', 'CA', 'SERIAL', 'EXPIRES', 'DAYS', 'STATE', 'SPKI'];

function asTable(rows: readonly Row[], crls: readonly Crl[], now: number): string {
  const cells = rows.map(({ name, kind, ca, serial, notAfter, state, spki }) => [
    escapeNonPrintable(name),
    kind,
    shortName(ca),
    serial,
    new Date(notAfter).toISOString().slice(0, 10),
    String(daysLeft(notAfter, now)),
    state,
    spki,
  ]);
  const widths = HEAD.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [...[HEAD, ...cells].map(line), '', ...crlLines(crls, now)].join('\n');
}

/** The common name says enough beside the row of the CA itself. */
function shortName(subject: string | null): string {
  if (subject === null) return '(gone)';
  return escapeNonPrintable(/(?:^|, )CN=(.*)$/.exec(subject)?.[1] ?? subject);
}

function crlLines(crls: readonly Crl[], now: number): string[] {
  if (crls.length === 0) return ['There is no revocation list; `promgate pki crl` makes one.'];
  return crls.map(({ issuer, number, nextUpdate, revoked }) => {
    const days = nextUpdate === null ? '' : `, next update in ${String(daysLeft(nextUpdate, now))} days`;
    const whose = crls.length === 1 ? '' : ` of ${shortName(issuer)}`;
    return `Revocation list number ${String(number)}${whose}: ${String(revoked.size)} revoked${days}.`;
  });
}
