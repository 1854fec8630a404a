/**
 * What the own CA has issued and revoked: the text of `ca-index.json` ↔ values. Strict when it reads: an index that is
 * half understood would forget a revocation. Pure.
 */
import { parsed, unparsed } from '../../lib/problem.ts';
import type { Parsed } from '../../lib/problem.ts';
import { normalizeSerial, REVOCATION_REASONS } from './revocation-list.ts';
import type { RevocationReason, RevokedSerial } from './revocation-list.ts';

export type CertificateKind = 'server' | 'client';

export interface IssuedCertificate {
  /** As it was asked for; several certificates have one name after a renewal. */
  readonly name: string;
  readonly kind: CertificateKind;
  /** As `normalizeSerial` gives it. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** `sha256/BASE64` over the SubjectPublicKeyInfo. */
  readonly spki: string;
  /** Which CA has signed it: SHA-256 hex of the DER of its name. Absent in an index from before its first rotation. */
  readonly issuer?: string;
}

export interface RevokedCertificate extends RevokedSerial {
  readonly reason: RevocationReason;
  /** As in `issued`; absent for a serial number that nobody knew: it stands in the list of every CA. */
  readonly issuer?: string;
}

export interface CertificateIndex {
  readonly issued: readonly IssuedCertificate[];
  readonly revoked: readonly RevokedCertificate[];
  /** Of the newest list; 0n before the first. */
  readonly crlNumber: bigint;
}

export const EMPTY_INDEX: CertificateIndex = { issued: [], revoked: [], crlNumber: 0n };

const VERSION = 1;
const YEAR_MS = 366 * 86_400_000;
const ISSUER = /^[0-9a-f]{64}$/;

/** Without what ended more than a year ago; what is revoked stays, because its list names it still. */
export function pruned(index: CertificateIndex, now: number): CertificateIndex {
  const revoked = new Set(index.revoked.map(({ serial }) => serial));
  const issued = index.issued.filter(({ serial, notAfter }) => notAfter + YEAR_MS > now || revoked.has(serial));
  return issued.length === index.issued.length ? index : { ...index, issued };
}

export function printIndex({ issued, revoked, crlNumber }: CertificateIndex): string {
  const date = (ms: number): string => new Date(ms).toISOString();
  return `${JSON.stringify(
    {
      version: VERSION,
      crl_number: crlNumber.toString(),
      issued: issued.map(({ name, kind, serial, notBefore, notAfter, spki, issuer }) => {
        return { name, kind, serial, not_before: date(notBefore), not_after: date(notAfter), spki, issuer };
      }),
      revoked: revoked.map(({ serial, date: at, reason, issuer }) => ({
        serial,
        revoked_at: date(at),
        reason,
        issuer,
      })),
    },
    null,
    2,
  )}\n`;
}

export function parseIndex(text: string): Parsed<CertificateIndex> {
  const root = asMap(parseJson(text));
  if (root === null) return unparsed('it is no JSON object: cut off, or changed by hand');
  if (root['version'] !== VERSION) {
    return unparsed(`its version is ${JSON.stringify(root['version'])}, expected ${String(VERSION)}`);
  }
  const { issued, revoked, crl_number: number } = root;
  if (typeof number !== 'string' || !/^\d{1,48}$/.test(number)) return unparsed('crl_number is no number');
  if (!Array.isArray(issued) || !Array.isArray(revoked)) return unparsed('issued or revoked is no list');
  const certificates = issued.map(readIssued);
  const revocations = revoked.map(readRevocation);
  const bad = certificates.findIndex((entry) => entry === null);
  if (bad !== -1) return unparsed(`entry ${String(bad + 1)} of issued is damaged`);
  const badRevocation = revocations.findIndex((entry) => entry === null);
  if (badRevocation !== -1) return unparsed(`entry ${String(badRevocation + 1)} of revoked is damaged`);
  return parsed({
    issued: certificates.filter((entry) => entry !== null),
    revoked: revocations.filter((entry) => entry !== null),
    crlNumber: BigInt(number),
  });
}

function readIssued(value: unknown): IssuedCertificate | null {
  const { name, kind, serial, not_before: from, not_after: to, spki, issuer } = asMap(value) ?? {};
  const [notBefore, notAfter] = [readDate(from), readDate(to)];
  if (typeof name !== 'string' || (kind !== 'server' && kind !== 'client')) return null;
  if (typeof serial !== 'string' || normalizeSerial(serial) !== serial || typeof spki !== 'string') return null;
  if (notBefore === null || notAfter === null || !isIssuer(issuer)) return null;
  return { name, kind, serial, notBefore, notAfter, spki, ...(issuer === undefined ? {} : { issuer }) };
}

function readRevocation(value: unknown): RevokedCertificate | null {
  const { serial, revoked_at: at, reason, issuer } = asMap(value) ?? {};
  const date = readDate(at);
  if (typeof serial !== 'string' || normalizeSerial(serial) !== serial || date === null) return null;
  if (typeof reason !== 'string' || !Object.hasOwn(REVOCATION_REASONS, reason) || !isIssuer(issuer)) return null;
  return { serial, date, reason: reason as RevocationReason, ...(issuer === undefined ? {} : { issuer }) };
}

function isIssuer(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && ISSUER.test(value));
}

function readDate(value: unknown): number | null {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function asMap(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
