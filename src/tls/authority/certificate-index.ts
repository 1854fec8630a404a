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
}

export interface RevokedCertificate extends RevokedSerial {
  readonly reason: RevocationReason;
}

export interface CertificateIndex {
  readonly issued: readonly IssuedCertificate[];
  readonly revoked: readonly RevokedCertificate[];
  /** Of the newest list; 0n before the first. */
  readonly crlNumber: bigint;
}

export const EMPTY_INDEX: CertificateIndex = { issued: [], revoked: [], crlNumber: 0n };

const VERSION = 1;

export function printIndex({ issued, revoked, crlNumber }: CertificateIndex): string {
  const date = (ms: number): string => new Date(ms).toISOString();
  return `${JSON.stringify(
    {
      version: VERSION,
      crl_number: crlNumber.toString(),
      issued: issued.map(({ name, kind, serial, notBefore, notAfter, spki }) => {
        return { name, kind, serial, not_before: date(notBefore), not_after: date(notAfter), spki };
      }),
      revoked: revoked.map(({ serial, date: at, reason }) => ({ serial, revoked_at: date(at), reason })),
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
  const { name, kind, serial, not_before: from, not_after: to, spki } = asMap(value) ?? {};
  const [notBefore, notAfter] = [readDate(from), readDate(to)];
  if (typeof name !== 'string' || (kind !== 'server' && kind !== 'client')) return null;
  if (typeof serial !== 'string' || normalizeSerial(serial) !== serial || typeof spki !== 'string') return null;
  return notBefore === null || notAfter === null ? null : { name, kind, serial, notBefore, notAfter, spki };
}

function readRevocation(value: unknown): RevokedCertificate | null {
  const { serial, revoked_at: at, reason } = asMap(value) ?? {};
  const date = readDate(at);
  if (typeof serial !== 'string' || normalizeSerial(serial) !== serial || date === null) return null;
  if (typeof reason !== 'string' || !Object.hasOwn(REVOCATION_REASONS, reason)) return null;
  return { serial, date, reason: reason as RevocationReason };
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
