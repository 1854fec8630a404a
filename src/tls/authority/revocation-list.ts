/** Makes certificate revocation lists (RFC 5280 §5) of the own CA. Writes no file, reads no clock. */
import { authorityKeyIdentifier, openCa, pemText } from './certificate-authority.ts';
import type { CertificateAndKey } from './keys.ts';

export interface RevokedSerial {
  /** Hex, as openssl and the log print it. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly date: number;
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

const CRL_NUMBER = '2.5.29.20';

/**
 * A CRL, PEM. A serial that is named twice counts once.
 * @throws {TypeError} when a serial is not hex, the number is negative or the CA cannot sign.
 */
export async function makeCrl({ ca, revoked, number, thisUpdate, nextUpdate }: CrlRequest): Promise<string> {
  const signer = await openCa(ca);
  const { library } = signer;
  const entries = new Map<string, Date>();
  for (const { serial, date } of revoked) {
    if (!/^[0-9A-Fa-f]{1,40}$/.test(serial))
      throw new TypeError(`${JSON.stringify(serial)} is not a hex serial number`);
    const plain = serial.toLowerCase().replace(/^0+(?=.)/, '');
    if (!entries.has(plain)) entries.set(plain, new Date(date));
  }
  const crl = await library.X509CrlGenerator.create({
    issuer: signer.certificate.subjectName,
    thisUpdate: new Date(thisUpdate),
    nextUpdate: new Date(nextUpdate),
    signingAlgorithm: signer.keys.signing,
    signingKey: signer.keys.pair.privateKey,
    entries: Array.from(entries, ([serial, revocationDate]) => ({
      serialNumber: serial.padStart(serial.length + (serial.length % 2), '0'),
      revocationDate,
    })),
    extensions: [await authorityKeyIdentifier(signer), new library.Extension(CRL_NUMBER, false, derInteger(number))],
  });
  // The library labels it `CRL`; OpenSSL and Node know `X509 CRL` only.
  return pemText(crl.toString('pem').replaceAll(/-----(BEGIN|END) CRL-----/g, '-----$1 X509 CRL-----'));
}

/** DER INTEGER of a number of at most 20 octets (RFC 5280 §5.2.3). */
function derInteger(value: bigint): Uint8Array {
  if (value < 0n || value >= 1n << 159n) throw new TypeError('the CRL number must be from 0 to 2^159 - 1');
  const hex = value.toString(16);
  const even = hex.padStart(hex.length + (hex.length % 2), '0');
  const content = Buffer.from(/^[89a-f]/.test(even) ? `00${even}` : even, 'hex');
  return Buffer.concat([Buffer.from([0x02, content.length]), content]);
}
