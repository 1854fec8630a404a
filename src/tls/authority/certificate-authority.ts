/** The own CA: makes it, and what is signed with it. Returns PEM text; writes no file, reads no clock. */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { generateKey, importSigningKeys } from './keys.ts';
import type { CertificateAndKey, SigningKeys } from './keys.ts';
import { encodeNameConstraints, isPermitted, NAME_CONSTRAINTS } from './name-constraints.ts';
import type { PermittedNames } from './name-constraints.ts';
import { commonName } from './names.ts';
import type { AlternativeName } from './names.ts';
import { loadX509 } from './x509-library.ts';
import type { X509Library } from './x509-library.ts';
import type { Extension, X509Certificate } from '@peculiar/x509';

/** Stands in the subject of every CA made here, so that its certificates are recognised (`wasIssuedHere`). */
const ORGANIZATION = 'promgate';
/** As OpenSSL decides it (`cn2dnsid`): at least two labels. */
const LOOKS_LIKE_DNS = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/;
export const BACKDATED_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

/** An authority that is ready to sign. */
export interface Signer {
  readonly library: X509Library;
  readonly certificate: X509Certificate;
  readonly keys: SigningKeys;
}

export interface CaRequest {
  /** What tells this CA from another, such as the host's name. */
  readonly name: string;
  readonly years?: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** PEM; a key that is there already. A new one is made without it. */
  readonly key?: string;
  /** What the CA may certify; everything without it. */
  readonly permitted?: PermittedNames;
}

/** What `createCa` puts before the name. */
export const NAME_PREFIX = 'promgate CA ';

/**
 * A self-signed CA certificate that may sign end certificates and CRLs and no further CA (RFC 5280 §4.2.1.9,
 * pathLenConstraint 0).
 * @throws {TypeError} when the key cannot sign.
 */
export async function createCa(request: CaRequest): Promise<CertificateAndKey> {
  const { name, years = 10, now, key = generateKey(), permitted } = request;
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + years);
  const constraints = permitted === undefined ? null : encodeNameConstraints(permitted);
  const subject = commonName(`${NAME_PREFIX}${name}`) ?? 'promgate CA';
  return selfSigned({ subject, notBefore: backdated(now), notAfter: end, key, constraints });
}

export interface SelfSigned {
  readonly subject: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly key: string;
  /** DER of the value of the name constraints; null: the CA may certify everything. */
  readonly constraints: Buffer | null;
}

/** @throws {TypeError} when the key cannot sign. */
export async function selfSigned(request: SelfSigned): Promise<CertificateAndKey> {
  const { subject, notBefore, notAfter, key, constraints } = request;
  const library = await loadX509();
  const keys = await importSigningKeys(key);
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    name: [{ O: [ORGANIZATION] }, { CN: [subject] }],
    serialNumber: randomSerial(),
    notBefore,
    notAfter,
    keys: keys.pair,
    signingAlgorithm: keys.signing,
    extensions: [
      new library.BasicConstraintsExtension(true, 0, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.keyCertSign | library.KeyUsageFlags.cRLSign, true),
      await library.SubjectKeyIdentifierExtension.create(keys.pair.publicKey),
      await library.AuthorityKeyIdentifierExtension.create(keys.pair.publicKey),
      ...(constraints === null ? [] : [new library.Extension(NAME_CONSTRAINTS, true, constraints)]),
    ],
  });
  return { cert: pemText(certificate.toString('pem')), key };
}

/** @throws {TypeError} when certificate and key do not make a CA. */
export async function openCa(ca: CertificateAndKey): Promise<Signer> {
  const library = await loadX509();
  const certificate = new library.X509Certificate(ca.cert);
  if (certificate.getExtension(library.BasicConstraintsExtension)?.ca !== true) {
    throw new TypeError('the certificate is not that of a CA');
  }
  return { library, certificate, keys: await importSigningKeys(ca.key) };
}

/** The last day of `days`, never beyond the end of the CA: a longer certificate would end with it all the same. */
export function validity(signer: Signer, now: number, days: number): { notBefore: Date; notAfter: Date } {
  const notAfter = Math.min(now + days * DAY_MS, signer.certificate.notAfter.getTime());
  if (notAfter <= now) throw new TypeError('the CA certificate has ended');
  return { notBefore: backdated(now), notAfter: new Date(notAfter) };
}

/**
 * The common name that goes with these names under the name constraints of the CA, if it has any. Without a DNS name
 * OpenSSL judges a common name that looks like one by the constraints, and an address looks like one.
 * @returns null when there is to be none.
 * @throws {TypeError} when a name is not permitted: no verifier would take it.
 */
export function permittedSubject(
  { certificate }: Signer,
  common: string | null,
  names: readonly AlternativeName[],
): string | null {
  const extension = certificate.getExtension(NAME_CONSTRAINTS);
  if (extension === null) return common;
  const constraints = Buffer.from(extension.value);
  const isJudged = !names.some(({ type }) => type === 'dns') && common !== null && LOOKS_LIKE_DNS.test(common);
  const isAddress = common !== null && isIP(common) !== 0;
  const judged = isJudged && !isAddress ? [...names, { type: 'dns' as const, value: common }] : names;
  for (const name of judged) {
    if (isPermitted(constraints, name)) continue;
    throw new TypeError(`the name constraints of the CA do not permit ${name.type} ${JSON.stringify(name.value)}`);
  }
  return isAddress ? null : common;
}

/** Names the issuer by the key identifier that its own certificate states (RFC 5280 §4.2.1.1). */
export async function authorityKeyIdentifier({ library, certificate, keys }: Signer): Promise<Extension> {
  const stated = certificate.getExtension(library.SubjectKeyIdentifierExtension)?.keyId;
  return stated === undefined
    ? library.AuthorityKeyIdentifierExtension.create(keys.pair.publicKey)
    : new library.AuthorityKeyIdentifierExtension(stated);
}

/** Whether an issuer, as Node's X509Certificate prints it, is a CA that `createCa` made. A hint, no proof. */
export function wasIssuedHere(issuer: string): boolean {
  return /(?:^|[\n,/] *)O ?= ?promgate(?:$|[\n,/+])/.test(issuer);
}

/** 128 bits at random, positive: RFC 5280 §4.1.2.2 allows 20 octets and the CA/Browser Forum asks for 64 bits. */
export function randomSerial(): string {
  const serial = randomBytes(16);
  return serial.some((byte) => byte !== 0) ? serial.toString('hex') : randomSerial();
}

/** PEM files end with a line break: appended to one another they stay readable. */
export function pemText(pem: string): string {
  return `${pem.trim()}\n`;
}

/** Clocks of hosts differ: what is issued now must be valid where it is a little earlier. */
export function backdated(now: number): Date {
  return new Date(now - BACKDATED_MS);
}
