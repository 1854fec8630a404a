/** Issues end certificates of the own CA, for servers and for clients. Writes no file, reads no clock. */
import { authorityKeyIdentifier, openCa, pemText, randomSerial, validity } from './certificate-authority.ts';
import { generateKey, importSigningKeys } from './keys.ts';
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

async function issue(
  { ca, days = 397, now, key = generateKey() }: IssueRequest,
  name: string,
  sans: readonly AlternativeName[],
  purpose: 'serverAuth' | 'clientAuth',
): Promise<CertificateAndKey> {
  const signer = await openCa(ca);
  const { library } = signer;
  const { pair } = await importSigningKeys(key);
  const subject = commonName(name);
  const certificate = await library.X509CertificateGenerator.create({
    // Without a common name (a host name beyond 64 characters) the SAN identifies alone and must be critical.
    subject: subject === null ? [] : [{ CN: [subject] }],
    issuer: signer.certificate.subjectName,
    serialNumber: randomSerial(),
    ...validity(signer, now, days),
    publicKey: pair.publicKey,
    signingKey: signer.keys.pair.privateKey,
    signingAlgorithm: signer.keys.signing,
    extensions: [
      new library.BasicConstraintsExtension(false, undefined, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
      new library.ExtendedKeyUsageExtension([library.ExtendedKeyUsage[purpose]]),
      ...(sans.length === 0
        ? []
        : [new library.SubjectAlternativeNameExtension(sans.map(toGeneralName), subject === null)]),
      await library.SubjectKeyIdentifierExtension.create(pair.publicKey),
      await authorityKeyIdentifier(signer),
    ],
  });
  return { cert: pemText(certificate.toString('pem')), key };
}

function toGeneralName(name: AlternativeName): { type: 'dns' | 'ip' | 'email' | 'url'; value: string } {
  return { type: name.type === 'uri' ? 'url' : name.type, value: name.value };
}
