/** Issues end certificates of the own CA, for servers and for clients. Writes no file, reads no clock. */
import type { webcrypto } from 'node:crypto';
import type { CertificateInfo } from '../../formats/x509.ts';
import {
  authorityKeyIdentifier,
  openCa,
  pemText,
  permittedSubject,
  randomSerial,
  validity,
} from './certificate-authority.ts';
import { generateKey, importPublicKey, importSigningKeys } from './keys.ts';
import type { CertificateAndKey } from './keys.ts';
import { checkName, commonName, serverName } from './names.ts';
import type { AlternativeName } from './names.ts';

interface IssueRequest {
  readonly ca: CertificateAndKey;
  /** 397 days stay below the limit that browsers and Go's verifiers have ever set. */
  readonly days?: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** PEM; a key that is there already. A new one is made without it. */
  readonly key?: string;
}

export interface ServerRequest extends IssueRequest {
  /** DNS names and IP addresses; the first is also the common name. */
  readonly names: readonly string[];
}

export interface ClientRequest extends IssueRequest {
  /** The common name. */
  readonly name: string;
  readonly sans: readonly AlternativeName[];
}

/**
 * @throws {TypeError} when a name is none, the CA has ended or the key cannot be used.
 */
export async function issueServer(request: ServerRequest): Promise<CertificateAndKey> {
  const [first] = request.names;
  if (first === undefined) throw new TypeError('a server certificate needs at least one name');
  return issue(request, first, request.names.map(serverName), 'serverAuth');
}

/**
 * @throws {TypeError} when a name is none, the CA has ended or the key cannot be used.
 */
export async function issueClient(request: ClientRequest): Promise<CertificateAndKey> {
  if (commonName(request.name) === null) {
    throw new TypeError(`${JSON.stringify(request.name)} is not a common name of 1 to 64 characters`);
  }
  return issue(request, request.name, request.sans.map(checkName), 'clientAuth');
}

export interface CertifyRequest extends Omit<ClientRequest, 'key'> {
  /** DER of the SubjectPublicKeyInfo: a key whose private half is elsewhere. */
  readonly publicKey: Buffer;
}

/**
 * A client certificate for a key that was made elsewhere. That its holder has the private half is the caller's to check.
 * @returns PEM.
 * @throws {TypeError} when a name is none, the CA has ended or the key cannot be used.
 */
export async function certifyClient(request: CertifyRequest): Promise<string> {
  if (commonName(request.name) === null) {
    throw new TypeError(`${JSON.stringify(request.name)} is not a common name of 1 to 64 characters`);
  }
  const publicKey = await importPublicKey(request.publicKey);
  return certify(request, { name: request.name, sans: request.sans.map(checkName), purpose: 'clientAuth', publicKey });
}

/**
 * A server certificate for a key that was made elsewhere. That its holder has the private half is the caller's to check.
 * @param request the name may be none: then the alternative names stand alone.
 * @returns PEM.
 * @throws {TypeError} when a name is none or no server's, the CA has ended or the key cannot be used.
 */
export async function certifyServer(request: CertifyRequest): Promise<string> {
  const { name, sans } = request;
  if (sans.length === 0) throw new TypeError('a server certificate needs at least one name');
  const other = sans.find(({ type }) => type !== 'dns' && type !== 'ip');
  if (other !== undefined)
    throw new TypeError(`${JSON.stringify(other.value)} is neither a DNS name nor an IP address`);
  const publicKey = await importPublicKey(request.publicKey);
  return certify(request, { name, sans: sans.map(checkName), purpose: 'serverAuth', publicKey });
}

export interface RenewalRequest extends Omit<IssueRequest, 'key'> {
  readonly old: CertificateInfo;
  readonly kind: 'server' | 'client';
  /** DER of the SubjectPublicKeyInfo: that of the old certificate, or of a new key. */
  readonly publicKey: Buffer;
}

/**
 * The same names again, for another time.
 * @returns PEM.
 * @throws {TypeError} when the CA has ended, may not certify a name, or the key cannot be used.
 */
export async function issueAgain(request: RenewalRequest): Promise<string> {
  const { old, kind } = request;
  const sans: AlternativeName[] = [
    ...old.sans.dns.map((value) => ({ type: 'dns' as const, value })),
    ...old.sans.ip.map((value) => ({ type: 'ip' as const, value })),
    ...old.sans.email.map((value) => ({ type: 'email' as const, value })),
    ...old.sans.uri.map((value) => ({ type: 'uri' as const, value })),
  ];
  const purpose = kind === 'server' ? 'serverAuth' : 'clientAuth';
  const publicKey = await importPublicKey(request.publicKey);
  return certify(request, { name: old.commonName ?? '', sans: sans.map(checkName), purpose, publicKey });
}

async function issue(
  request: IssueRequest,
  name: string,
  sans: readonly AlternativeName[],
  purpose: 'serverAuth' | 'clientAuth',
): Promise<CertificateAndKey> {
  const { key = generateKey() } = request;
  const { pair } = await importSigningKeys(key);
  return { cert: await certify(request, { name, sans, purpose, publicKey: pair.publicKey }), key };
}

interface Contents {
  readonly name: string;
  readonly sans: readonly AlternativeName[];
  readonly purpose: 'serverAuth' | 'clientAuth';
  readonly publicKey: webcrypto.CryptoKey;
}

async function certify({ ca, days = 397, now }: IssueRequest, contents: Contents): Promise<string> {
  const { name, sans, purpose, publicKey } = contents;
  const signer = await openCa(ca);
  const { library } = signer;
  const subject = permittedSubject(signer, commonName(name), sans);
  if (subject === null && sans.length === 0) throw new TypeError('a certificate needs a name');
  const certificate = await library.X509CertificateGenerator.create({
    // Without a common name (a host name beyond 64 characters) the SAN identifies alone and must be critical.
    subject: subject === null ? [] : [{ CN: [subject] }],
    issuer: signer.certificate.subjectName,
    serialNumber: randomSerial(),
    ...validity(signer, now, days),
    publicKey,
    signingKey: signer.keys.pair.privateKey,
    signingAlgorithm: signer.keys.signing,
    extensions: [
      new library.BasicConstraintsExtension(false, undefined, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
      new library.ExtendedKeyUsageExtension([library.ExtendedKeyUsage[purpose]]),
      ...(sans.length === 0
        ? []
        : [new library.SubjectAlternativeNameExtension(sans.map(toGeneralName), subject === null)]),
      await library.SubjectKeyIdentifierExtension.create(publicKey),
      await authorityKeyIdentifier(signer),
    ],
  });
  return pemText(certificate.toString('pem'));
}

function toGeneralName(name: AlternativeName): { type: 'dns' | 'ip' | 'email' | 'url'; value: string } {
  return { type: name.type === 'uri' ? 'url' : name.type, value: name.value };
}
