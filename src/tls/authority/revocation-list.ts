/** Makes certificate revocation lists (RFC 5280 §5) of the own CA. Writes no file, reads no clock. */
import { authorityKeyIdentifier, openCa, pemText } from './certificate-authority.ts';
import { derInteger } from './der-writer.ts';
import type { CertificateAndKey } from './keys.ts';
import { loadX509 } from './x509-library.ts';

/** Why a certificate is revoked (RFC 5280 §5.3.1), by its number; holds and removals are for lists that we do not make. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const;

export type RevocationReason = keyof typeof REVOCATION_REASONS;

export interface RevokedSerial {
  /** Hex, as openssl and the log print it. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly date: number;
  readonly reason?: RevocationReason;
}

export interface CrlRequest {
  readonly ca: CertificateAndKey;
  readonly revoked: readonly RevokedSerial[];
  /** Must grow from list to list: a gate refuses one that is lower than what it has. */
  readonly number: bigint;
  readonly thisUpdate: number;
  /** Milliseconds since the epoch; from then on every client is refused, so it must be renewed before. */
  readonly nextUpdate: number;
}

/** As OpenSSL and formats/x509.ts print it: upper-case hex of whole bytes, none of them a leading zero; null for none. */
export function normalizeSerial(hex: string): string | null {
  if (!/^[0-9A-Fa-f]{1,42}$/.test(hex)) return null;
  const digits = hex.toUpperCase().replace(/^0+/, '');
  return digits === '' ? '0' : digits.padStart(digits.length + (digits.length % 2), '0');
}

const CRL_NUMBER = '2.5.29.20';

/**
 * A CRL, PEM. A serial that is named twice counts once.
 * @throws {TypeError} when a serial is not hex, the number is negative or the CA cannot sign.
 */
export async function makeCrl({ ca, revoked, number, thisUpdate, nextUpdate }: CrlRequest): Promise<string> {
  const signer = await openCa(ca);
  const { library } = signer;
  const entries = new Map<string, { date: Date; reason: RevocationReason }>();
  for (const { serial, date, reason = 'unspecified' } of revoked) {
    const plain = normalizeSerial(serial);
    if (plain === null) throw new TypeError(`${JSON.stringify(serial)} is not a hex serial number`);
    if (!entries.has(plain)) entries.set(plain, { date: new Date(date), reason });
  }
  const crl = await library.X509CrlGenerator.create({
    issuer: signer.certificate.subjectName,
    thisUpdate: new Date(thisUpdate),
    nextUpdate: new Date(nextUpdate),
    signingAlgorithm: signer.keys.signing,
    signingKey: signer.keys.pair.privateKey,
    entries: Array.from(entries, ([serial, { date, reason }]) => ({
      serialNumber: serial === '0' ? '00' : serial.toLowerCase(),
      revocationDate: date,
      // RFC 5280 §5.3.1: `unspecified` is said by leaving the reason out.
      ...(reason === 'unspecified' ? {} : { reason: REVOCATION_REASONS[reason] }),
    })),
    extensions: [await authorityKeyIdentifier(signer), new library.Extension(CRL_NUMBER, false, crlNumber(number))],
  });
  // The library labels it `CRL`; OpenSSL and Node know `X509 CRL` only.
  return pemText(crl.toString('pem').replaceAll(/-----(BEGIN|END) CRL-----/g, '-----$1 X509 CRL-----'));
}

/**
 * What an existing list says, so that a new one forgets none of it.
 * @throws Error when it cannot be read.
 */
export async function readRevoked(pem: string): Promise<RevokedSerial[]> {
  const library = await loadX509();
  return new library.X509Crl(pem).entries.map(({ serialNumber, revocationDate, reason }) => ({
    serial: normalizeSerial(serialNumber) ?? serialNumber,
    date: revocationDate.getTime(),
    reason: reasonOf(reason),
  }));
}

function reasonOf(number: number | undefined): RevocationReason {
  const found = Object.entries(REVOCATION_REASONS).find(([, code]) => code === number);
  return (found?.[0] as RevocationReason | undefined) ?? 'unspecified';
}

/** An INTEGER of at most 20 octets (RFC 5280 §5.2.3). */
function crlNumber(value: bigint): Buffer {
  if (value < 0n || value >= 1n << 159n) throw new TypeError('the CRL number must be from 0 to 2^159 - 1');
  return derInteger(value);
}
