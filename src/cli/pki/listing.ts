/** `promgate pki list`: everything that the own CA has issued, as a table or as JSON. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Crl } from '../../formats/crl.ts';
import { spkiPin } from '../../formats/spki-pin.ts';
import { PromgateError } from '../../lib/errors.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import { readCrl, readIndex } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { CertificateIndex, IssuedCertificate } from '../../tls/authority/certificate-index.ts';
import type { Terminal } from '../terminal.ts';
import { openAuthority } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { asIssued, kindOf, readOwnCertificate } from './issued-files.ts';
import { DAY_MS } from './lifetimes.ts';

export interface ListOptions {
  readonly directory: string;
  readonly output: 'table' | 'json';
}

export type CertificateState = 'valid' | 'expiring' | 'expired' | 'revoked';

interface Row extends Omit<IssuedCertificate, 'kind'> {
  readonly kind: IssuedCertificate['kind'] | 'ca';
  readonly state: CertificateState;
}

export async function listCertificates(
  { directory, output }: ListOptions,
  terminal: Terminal,
  { clock }: PkiEnvironment,
): Promise<number> {
  const authority = await openAuthority(directory);
  const index = await readIndex(authority.paths);
  const crl = await readCrl(authority);
  const issued = [...index.issued, ...(await unrecorded(authority, index))];
  const now = clock.now();
  const rows = [
    authorityRow(authority, now),
    ...issued
      .map((entry): Row => ({ ...entry, state: stateOf(entry, index, crl, now) }))
      .sort((a, b) => compare(a.name, b.name) || a.notAfter - b.notAfter),
  ];
  terminal.out(output === 'json' ? asJson(rows, crl, now) : asTable(rows, crl, now));
  return 0;
}

/** With less than a third of its life left a certificate wants to be renewed. */
export function stateOf(
  { serial, notBefore, notAfter }: Pick<IssuedCertificate, 'serial' | 'notBefore' | 'notAfter'>,
  { revoked }: Pick<CertificateIndex, 'revoked'>,
  crl: Pick<Crl, 'revoked'> | null,
  now: number,
): CertificateState {
  if (revoked.some((entry) => entry.serial === serial) || crl?.revoked.has(serial) === true) return 'revoked';
  if (notAfter <= now) return 'expired';
  return notAfter - now < (notAfter - notBefore) / 3 ? 'expiring' : 'valid';
}

/** Certificates of this CA that lie in the directory and were not made by `pki`. */
async function unrecorded(authority: Authority, { issued }: CertificateIndex): Promise<readonly IssuedCertificate[]> {
  const found: IssuedCertificate[] = [];
  const files = await readdir(authority.paths.directory).catch(() => []);
  for (const file of files.sort()) {
    if (!file.endsWith('.crt') || file.endsWith('.chain.crt') || file === basename(authority.paths.cert)) continue;
    const leaf = await readOwnCertificate(join(authority.paths.directory, file), authority).catch((error: unknown) => {
      // What is not ours is not listed.
      if (error instanceof PromgateError) return null;
      throw error;
    });
    if (leaf === null || issued.some(({ serial }) => serial === leaf.serial)) continue;
    found.push(asIssued(leaf, file.slice(0, -'.crt'.length), kindOf(leaf)));
  }
  return found;
}

function authorityRow({ certificate }: Authority, now: number): Row {
  const { subject, serial, notBefore, notAfter, publicKeySpki } = certificate;
  const state = stateOf(certificate, { revoked: [] }, null, now);
  return { name: subject, kind: 'ca', serial, notBefore, notAfter, spki: spkiPin(publicKeySpki), state };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function daysLeft(notAfter: number, now: number): number {
  return Math.floor((notAfter - now) / DAY_MS);
}

function asJson(rows: readonly Row[], crl: Crl | null, now: number): string {
  const date = (ms: number): string => new Date(ms).toISOString();
  return JSON.stringify(
    {
      certificates: rows.map(({ name, kind, serial, notBefore, notAfter, spki, state }) => ({
        name,
        kind,
        serial,
        not_before: date(notBefore),
        not_after: date(notAfter),
        days_left: daysLeft(notAfter, now),
        state,
        spki,
      })),
      crl:
        crl === null
          ? null
          : {
              number: crl.number?.toString() ?? null,
              this_update: date(crl.thisUpdate),
              next_update: crl.nextUpdate === null ? null : date(crl.nextUpdate),
              revoked: [...crl.revoked].sort(),
            },
    },
    null,
    2,
  );
}

const HEAD = ['NAME', 'KIND', 'SERIAL', 'EXPIRES', 'DAYS', 'STATE', 'SPKI'];

function asTable(rows: readonly Row[], crl: Crl | null, now: number): string {
  const cells = rows.map(({ name, kind, serial, notAfter, state, spki }) => [
    escapeNonPrintable(name),
    kind,
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
  return [...[HEAD, ...cells].map(line), '', crlLine(crl, now)].join('\n');
}

function crlLine(crl: Crl | null, now: number): string {
  if (crl === null) return 'There is no revocation list; `promgate pki crl` makes one.';
  const { number, nextUpdate, revoked } = crl;
  const days = nextUpdate === null ? '' : `, next update in ${String(daysLeft(nextUpdate, now))} days`;
  return `Revocation list number ${String(number)}: ${String(revoked.size)} revoked${days}.`;
}
