/**
 * X.509 certificates: PEM or DER → the facts that the gate judges by. Names are read from the DER, never from a printed
 * form: `subjectAltName` as text can be forged by a name that holds a comma.
 */
import { createHash, createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { DerFault, DerReader, TAG } from './der.ts';
import { commonNameOf, extensionsOf, generalNames, nameText, serialHex, type SubjectAltNames } from './der-names.ts';
import { foundInstead, parsePem, toPem } from './pem.ts';
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

export type { SubjectAltNames } from './der-names.ts';

/** What the DER says without OpenSSL. */
export interface CertificateFacts {
  /** For messages: `O=Example, CN=a`. */
  readonly subject: string;
  readonly issuer: string;
  /** null also when the subject has several. */
  readonly commonName: string | null;
  readonly sans: SubjectAltNames;
  /** Upper-case hex. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SHA-256 over the DER, upper-case hex without colons. */
  readonly fingerprint: string;
  /** SHA-256 hex of the DER-encoded names. */
  readonly subjectKey: string;
  readonly issuerKey: string;
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKeySpki: Buffer;
}

export interface CertificateInfo extends CertificateFacts {
  readonly pem: string;
  readonly der: Buffer;
  readonly isCa: boolean;
  /** `rsa`, `ec`, `ed25519`, … as node:crypto names them; `unknown` when it does not know the algorithm. */
  readonly keyType: string;
}

const CERTIFICATE_LABELS = ['CERTIFICATE', 'X509 CERTIFICATE'];
const SUBJECT_ALT_NAME = '2.5.29.17';
const NO_NAMES: SubjectAltNames = { dns: [], email: [], uri: [], ip: [] };
/** What Node's TLS serves; OpenSSL has more key types, none of which a client would accept. */
const SERVABLE_KEYS: readonly string[] = ['rsa', 'ec', 'ed25519'];

/** Every certificate of a PEM file in order; other blocks (a key in the same file) are passed over. */
export function parseCertificates(pem: string): Parsed<CertificateInfo[]> {
  const blocks = parsePem(pem);
  if (!blocks.ok) return blocks;
  const certificates: CertificateInfo[] = [];
  for (const { label, der, line } of blocks.value) {
    if (!CERTIFICATE_LABELS.includes(label)) continue;
    try {
      certificates.push(describeCertificate(der));
    } catch (error) {
      const cause = error instanceof DerFault ? error.message : 'OpenSSL does not understand it';
      return unparsed(`the certificate cannot be read: ${cause}`, undefined, line);
    }
  }
  if (certificates.length === 0) {
    const hint =
      'a certificate begins with -----BEGIN CERTIFICATE-----; `openssl x509 -inform der -in FILE` converts DER';
    return unparsed(`no certificate found${foundInstead(pem, blocks.value)}`, hint);
  }
  return parsed(certificates);
}

/**
 * Reads one certificate.
 * @throws Error when it cannot be read as strict DER, or OpenSSL does not take it: such a certificate identifies nobody.
 */
export function describeCertificate(der: Buffer): CertificateInfo {
  const facts = readCertificateFacts(der);
  const certificate = new X509Certificate(der);
  return { ...facts, pem: toPem('CERTIFICATE', der), der, isCa: certificate.ca, keyType: keyTypeOf(certificate) };
}

/**
 * Reads a certificate that OpenSSL has taken already, such as one of a handshake: a fifth of the cost of
 * `describeCertificate`.
 * @throws Error when it is not strict DER: such a certificate identifies nobody.
 */
export function readCertificateFacts(der: Buffer): CertificateFacts {
  const file = new DerReader(der);
  const certificate = file.enter(TAG.sequence);
  file.end();
  const tbs = certificate.enter(TAG.sequence);
  if (tbs.peek() === TAG.context0) tbs.skip();
  const serial = serialHex(tbs.integer());
  tbs.read(TAG.sequence);
  const issuer = tbs.element(TAG.sequence);
  const validity = tbs.enter(TAG.sequence);
  const notBefore = validity.time();
  const notAfter = validity.time();
  const subject = tbs.element(TAG.sequence);
  const publicKeySpki = tbs.element(TAG.sequence);
  while (!tbs.isAtEnd() && tbs.peek() !== TAG.context3) tbs.skip();
  const extensions = tbs.isAtEnd() ? [] : extensionsOf(tbs.enter(TAG.context3));
  const names = extensions.find(({ oid }) => oid === SUBJECT_ALT_NAME);
  return {
    subject: nameText(subject),
    issuer: nameText(issuer),
    commonName: commonNameOf(subject),
    sans: names === undefined ? NO_NAMES : generalNames(names.value),
    serial,
    notBefore,
    notAfter,
    fingerprint: sha256(der).toUpperCase(),
    subjectKey: sha256(subject),
    issuerKey: sha256(issuer),
    publicKeySpki,
  };
}

/** Bytes of the DER of the subject, of a certificate that was read. */
export function subjectLength({ der }: Pick<CertificateInfo, 'der'>): number {
  const tbs = new DerReader(der).enter(TAG.sequence).enter(TAG.sequence);
  if (tbs.peek() === TAG.context0) tbs.skip();
  // Serial number, signature algorithm, issuer, validity.
  for (let before = 0; before < 4; before++) tbs.skip();
  return tbs.element(TAG.sequence).length;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function keyTypeOf(certificate: X509Certificate): string {
  try {
    return certificate.publicKey.asymmetricKeyType ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/**
 * Whether a private key belongs to the first certificate of a chain. No message repeats anything of the key.
 * @returns the type of the key: `rsa`, `ec` or `ed25519`.
 */
export function keyMatches(certPem: string, keyPem: string): Parsed<{ keyType: string }> {
  const chain = parseCertificates(certPem);
  if (!chain.ok) return chain;
  const [leaf] = chain.value;
  if (leaf === undefined) return unparsed('no certificate found');
  const key = readPrivateKey(keyPem);
  if (!key.ok) return key;
  const keyType = key.value.asymmetricKeyType ?? 'unknown';
  if (!SERVABLE_KEYS.includes(keyType))
    return unparsed(`the private key is of type ${keyType}, expected RSA, EC or Ed25519`);
  if (!new X509Certificate(leaf.der).checkPrivateKey(key.value)) {
    return unparsed(
      'the private key does not belong to the certificate',
      'the first certificate of the file must be the own one',
    );
  }
  return parsed({ keyType });
}

function readPrivateKey(pem: string): Parsed<KeyObject> {
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    return unparsed(
      'the private key is encrypted',
      'decrypt it with `openssl pkey -in FILE -out FILE.new` and keep it 0600',
    );
  }
  if (!/^-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY-----/m.test(pem)) {
    return unparsed('no private key found', 'a private key begins with -----BEGIN PRIVATE KEY-----');
  }
  try {
    return parsed(createPrivateKey(pem));
  } catch {
    return unparsed('the private key cannot be read: it is damaged or of an unknown type');
  }
}
