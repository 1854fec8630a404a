/** Certificates and CRLs for the tests of formats/, made once per call; keys are P-256 unless asked otherwise. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const DAY_MS = 86_400_000;
export const NOT_BEFORE = Date.parse('2026-01-02T03:04:05Z');
export const NOT_AFTER = NOT_BEFORE + 397 * DAY_MS;

export const P256 = { name: 'ECDSA', namedCurve: 'P-256' };
export const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
export const ED25519 = { name: 'Ed25519' };

export interface Made {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly pem: string;
  readonly der: Buffer;
  readonly keyPem: string;
}

function generate(algorithm: object) {
  return webcrypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, ['sign', 'verify']);
}

export interface Wanted {
  readonly name?: string;
  readonly serial?: string;
  readonly sans?: { type: 'dns' | 'ip' | 'email' | 'url'; value: string }[];
  readonly extensions?: x509.Extension[];
  readonly ca?: boolean;
  readonly issuer?: Made;
  readonly algorithm?: object;
}

export async function makeCertificate(wanted: Wanted = {}): Promise<Made> {
  const keys = await generate(wanted.algorithm ?? P256);
  const subject = wanted.name ?? 'CN=a.example.com';
  const extensions: x509.Extension[] = [...(wanted.extensions ?? [])];
  if (wanted.sans !== undefined) extensions.push(new x509.SubjectAlternativeNameExtension(wanted.sans));
  if (wanted.ca === true) extensions.push(new x509.BasicConstraintsExtension(true, undefined, true));
  const signingKeys = wanted.issuer?.keys ?? keys;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject,
      issuer: wanted.issuer?.certificate.subject ?? subject,
      serialNumber: wanted.serial ?? '0a',
      notBefore: new Date(NOT_BEFORE),
      notAfter: new Date(NOT_AFTER),
      publicKey: keys.publicKey,
      signingKey: signingKeys.privateKey,
      signingAlgorithm: signingKeys.privateKey.algorithm,
      extensions,
    },
    webcrypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    certificate,
    keys,
    pem: `${certificate.toString('pem')}\n`,
    der: Buffer.from(certificate.rawData),
    keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
  };
}

export interface WantedCrl {
  readonly issuer: Made;
  readonly serials?: readonly string[];
  readonly extensions?: x509.Extension[];
  readonly nextUpdate?: Date;
}

/** As @peculiar/x509 writes it: labelled `CRL`. */
export async function makeCrl(wanted: WantedCrl): Promise<string> {
  const crl = await x509.X509CrlGenerator.create(
    {
      issuer: wanted.issuer.certificate.subject,
      thisUpdate: new Date(NOT_BEFORE),
      ...(wanted.nextUpdate === undefined ? {} : { nextUpdate: wanted.nextUpdate }),
      entries: (wanted.serials ?? []).map((serialNumber) => ({ serialNumber, revocationDate: new Date(NOT_BEFORE) })),
      signingKey: wanted.issuer.keys.privateKey,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: wanted.extensions ?? [],
    },
    webcrypto,
  );
  return `${crl.toString('pem')}\n`;
}

/** An extension by its DER in hex. */
export function rawExtension(oid: string, critical: boolean, derHex: string): x509.Extension {
  return new x509.Extension(oid, critical, Buffer.from(derHex, 'hex'));
}
