/**
 * Whether a revocation list that was fetched may take the place of the one that is there. Pure. What is not signed by a
 * client CA, is older, has ended or has not begun is refused: the last good list stays.
 */
import { isCrlSignedBy, parseCrls } from '../../formats/crl.ts';
import type { Crl } from '../../formats/crl.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { parsed, unparsed } from '../../lib/problem.ts';
import type { Parsed } from '../../lib/problem.ts';

export interface KnownLists {
  /** The client CAs. */
  readonly issuers: readonly CertificateInfo[];
  /** The lists in force, and those of the file: none of them may be undone. */
  readonly known: readonly Crl[];
  /** Those of the file alone: for each there must be one again. */
  readonly kept: readonly Crl[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** @returns the lists to keep, PEM; lists of CAs that are not known here, as during a rotation, are left out. */
export function judgeFetched(text: string, { issuers, known, kept, now }: KnownLists): Parsed<string> {
  const read = parseCrls(text);
  if (!read.ok) return read;
  const ours = read.value.filter(({ issuerKey }) => issuers.some(({ subjectKey }) => subjectKey === issuerKey));
  if (ours.length === 0) return unparsed('it is from none of the client CAs');
  for (const crl of ours) {
    const what = `the list of ${JSON.stringify(crl.issuer)}`;
    const signers = issuers.filter(({ subjectKey }) => subjectKey === crl.issuerKey);
    if (!signers.some(({ publicKeySpki }) => isCrlSignedBy(crl, publicKeySpki))) {
      return unparsed(`${what} is not signed by this CA`);
    }
    if (crl.nextUpdate !== null && crl.nextUpdate <= now) return unparsed(`${what} has ended`);
    if (crl.thisUpdate > now) return unparsed(`${what} is not valid yet: compare the clocks`);
    const older = known.find((before) => isSameIssuer(before, crl) && isOlder(crl, before));
    if (older !== undefined) {
      return unparsed(`${what} has ${numberOf(crl)}, older than ${numberOf(older)} in force`);
    }
  }
  const lost = kept.find((before) => !ours.some((crl) => isSameIssuer(before, crl)));
  const isStillOurs = issuers.some(({ subjectKey }) => subjectKey === lost?.issuerKey);
  if (lost !== undefined && isStillOurs) return unparsed(`there is no list of ${JSON.stringify(lost.issuer)} any more`);
  return parsed(ours.map(({ pem }) => pem).join(''));
}

/** Name and key: a CA that was renewed under its old name numbers its lists anew. */
function isSameIssuer(a: Crl, b: Crl): boolean {
  return a.issuerKey === b.issuerKey && a.authorityKey === b.authorityKey;
}

function isOlder(crl: Crl, before: Crl): boolean {
  if (before.number !== null) return crl.number === null || crl.number < before.number;
  return crl.thisUpdate < before.thisUpdate;
}

function numberOf({ number, thisUpdate }: Crl): string {
  return number === null ? `the date ${new Date(thisUpdate).toISOString()}` : `number ${String(number)}`;
}
