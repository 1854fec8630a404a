/**
 * Certificates for who asks over the gate: for a one-time token, or for the certificate that it has. Of a request only the
 * key counts. A token is taken before anything is signed; what was signed is in the index before it is
 * handed out.
 */
import type { SubjectAltNames } from '../../formats/der-names.ts';
import { parseSpkiPin, spkiHash, spkiPin } from '../../formats/spki-pin.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { ownCas, readAuthority, readIndex, recordIssued } from './authority-directory.ts';
import type { Authority, OwnCa } from './authority-directory.ts';
import { BACKDATED_MS } from './certificate-authority.ts';
import type { CertificateKind, IssuedCertificate } from './certificate-index.ts';
import { readCrls } from './crl-file.ts';
import { takeToken } from './enrollment-tokens.ts';
import { certifyClient, certifyServer } from './issue.ts';
import { importPublicKey } from './keys.ts';
import type { CertificateAndKey } from './keys.ts';
import type { AlternativeName } from './names.ts';
import { readSigningRequest } from './signing-request.ts';

/** A certificate whose holder has proved that the key is there: in a handshake, or by a signature. */
export interface HeldCertificate {
  /** Upper-case hex. */
  readonly serial: string;
  /** As `spkiHash` gives it. */
  readonly spkiHash: string;
  readonly commonName: string | null;
  readonly sans: SubjectAltNames;
  /** Leaf first, the anchor last. */
  readonly chain: readonly {
    readonly fingerprint: string;
    readonly notBefore: number;
    readonly notAfter: number;
  }[];
}

export type EnrollmentOutcome =
  | { readonly kind: 'issued'; readonly certificate: IssuedCertificate; readonly pem: string }
  | { readonly kind: 'refused'; readonly reason: EnrollmentRefusal; readonly detail: string };

/** Names of DenyReason. */
export type EnrollmentRefusal =
  'credentials_wrong' | 'enrollment_request_invalid' | 'enrollment_failed' | 'renewal_refused' | 'rate_limited';

const DAY_MS = 86_400_000;
/** A renewal is due once in a month or so; every one is an entry in the index for ever. */
const MOST_RENEWALS_A_DAY = 10;

/** @returns the certificate and the CAs that it leads to, PEM. Never rejects. */
export async function enrollByToken(
  directory: string,
  clock: Clock,
  { token, request }: { readonly token: string; readonly request: string },
): Promise<EnrollmentOutcome> {
  return orFailed(async () => {
    const authority = await openReady(directory);
    const publicKey = await provedKey(request);
    const taken = await takeToken(authority.paths, clock, token);
    if (taken === null) return refused('credentials_wrong', 'the enrollment token was used, or its time is over');
    const { name, sans, days, purpose } = taken;
    const wanted = { ca: authority.ca, sans, days, now: clock.now(), publicKey };
    const isServer = purpose === 'serverAuth';
    const cert = isServer
      ? await certifyServer({ ...wanted, name: sans[0]?.value ?? '' })
      : await certifyClient({ ...wanted, name });
    return record(authority, clock, { cert, name, kind: isServer ? 'server' : 'client' });
  });
}

/**
 * The same names for the same time again, with the key of the request.
 * @param held proved, and for a client verified and trusted now; what this CA knows of it is judged here.
 * @param kind a server's must be in the index as one: what was issued elsewhere with the same key of the CA is not.
 * @returns the certificate and the CAs that it leads to, PEM. Never rejects.
 */
export async function renewHeld(
  directory: string,
  clock: Clock,
  { held, kind, request }: RenewalAsked,
): Promise<EnrollmentOutcome> {
  return orFailed(async () => {
    const authority = await openReady(directory);
    const [leaf, anchor] = held.chain;
    // Not every CA of ca.crt: another's may stand there to be trusted only.
    const isOurs = authority.cas.some(({ certificate }) => certificate.fingerprint === anchor?.fingerprint);
    if (leaf === undefined || held.chain.length !== 2 || !isOurs) {
      return refused('renewal_refused', 'the certificate is of another CA');
    }
    const now = clock.now();
    if (leaf.notAfter <= now) return refused('renewal_refused', 'the certificate has ended');
    if (leaf.notBefore > now) return refused('renewal_refused', 'the certificate is not valid yet');
    const index = await readIndex(authority.paths);
    const crls = await readCrls(authority);
    // The gate may have no list, or an older one.
    if (
      index.revoked.some(({ serial }) => serial === held.serial) ||
      crls.some(({ revoked }) => revoked.has(held.serial))
    ) {
      return refused('renewal_refused', 'the certificate is revoked');
    }
    const known = index.issued.find(({ serial }) => serial === held.serial);
    if (kind === 'server' && !isSameServer(known, held)) {
      return refused('renewal_refused', 'the index of the CA has no such server certificate');
    }
    const name = known?.name ?? held.commonName ?? held.sans.dns[0] ?? '';
    const recent = index.issued.filter((entry) => entry.name === name && entry.notBefore > now - DAY_MS);
    if (recent.length >= MOST_RENEWALS_A_DAY) {
      return refused('rate_limited', `${String(MOST_RENEWALS_A_DAY)} certificates of this name within a day`);
    }
    const publicKey = await provedKey(request);
    if (spkiHash(publicKey) !== held.spkiHash) {
      return refused('renewal_refused', 'the request is for another key: a new key takes a new token');
    }
    const lifetime = leaf.notAfter - leaf.notBefore;
    const days = (lifetime - BACKDATED_MS) / DAY_MS;
    const wanted = { ca: authority.ca, sans: namesOf(held.sans), days, now, publicKey };
    const cert =
      kind === 'server'
        ? await certifyServer({ ...wanted, name: held.commonName ?? '' })
        : await certifyClient({ ...wanted, name: held.commonName ?? name });
    const [made] = certificatesOf(cert);
    if (made === undefined || !isNoMore(made, held, lifetime)) {
      return refused('enrollment_failed', 'the same certificate cannot be made again');
    }
    return record(authority, clock, { cert, name, kind, renews: held.serial });
  });
}

export interface RenewalAsked {
  readonly held: HeldCertificate;
  readonly kind: CertificateKind;
  /** A certificate request, PEM. */
  readonly request: string;
}

interface ReadyAuthority extends Authority {
  /** Those of ca.crt whose key is here. */
  readonly cas: readonly OwnCa[];
  readonly ca: CertificateAndKey;
}

/** A fault that the operator can mend; the client hears none of it. */
class Unready extends Error {}

async function openReady(directory: string): Promise<ReadyAuthority> {
  const authority = await readAuthority(directory);
  if (authority === null) throw new Unready(`there is no CA in ${directory}`);
  const { key, paths, cert } = authority;
  if (key.kind === 'missing') throw new Unready(`${paths.key} is not here`);
  if (key.kind === 'encrypted') throw new Unready(`${paths.key} has a passphrase`);
  return { ...authority, ca: { cert, key: key.pem }, cas: ownCas(authority, key.pems) };
}

class BadRequest extends Error {}

/** Before a token is taken: what cannot be certified must not cost it. */
async function provedKey(request: string): Promise<Buffer> {
  try {
    const publicKey = await readSigningRequest(request);
    await importPublicKey(publicKey);
    return publicKey;
  } catch (error) {
    throw new BadRequest(messageOf(error));
  }
}

interface Signed {
  readonly cert: string;
  readonly name: string;
  readonly kind: CertificateKind;
  /** Serial of the one that it stands for. */
  readonly renews?: string;
}

/** The index first: nothing that was signed is unknown to it. */
async function record(
  { paths, bundle }: Authority,
  clock: Clock,
  { cert, name, kind, renews }: Signed,
): Promise<EnrollmentOutcome> {
  const [leaf] = certificatesOf(cert);
  if (leaf === undefined) return refused('enrollment_failed', 'the certificate that was made cannot be read');
  const { serial, notBefore, notAfter, publicKeySpki, issuerKey } = leaf;
  const certificate: IssuedCertificate = {
    name,
    kind,
    serial,
    notBefore,
    notAfter,
    spki: spkiPin(publicKeySpki),
    issuer: issuerKey,
  };
  if (!(await recordIssued(paths, clock, certificate, renews))) {
    return refused('renewal_refused', 'the certificate was revoked meanwhile');
  }
  return { kind: 'issued', certificate, pem: cert + bundle };
}

async function orFailed(work: () => Promise<EnrollmentOutcome>): Promise<EnrollmentOutcome> {
  try {
    return await work();
  } catch (error) {
    return refused(error instanceof BadRequest ? 'enrollment_request_invalid' : 'enrollment_failed', messageOf(error));
  }
}

function isSameServer(known: IssuedCertificate | undefined, { spkiHash: hash }: HeldCertificate): boolean {
  const pin = known?.kind === 'server' ? parseSpkiPin(known.spki) : null;
  return pin?.ok === true && pin.value === hash;
}

/** No name and no day beyond what is held. */
function isNoMore(made: CertificateInfo, { commonName, sans }: HeldCertificate, lifetime: number): boolean {
  const sorted = (names: SubjectAltNames) => JSON.stringify([names.dns, names.ip, names.email, names.uri]);
  const isSame = made.commonName === commonName && sorted(made.sans) === sorted(sans);
  return isSame && made.notAfter - made.notBefore <= lifetime;
}

function namesOf({ dns, ip, email, uri }: SubjectAltNames): AlternativeName[] {
  return [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ip.map((value) => ({ type: 'ip' as const, value })),
    ...email.map((value) => ({ type: 'email' as const, value })),
    ...uri.map((value) => ({ type: 'uri' as const, value })),
  ];
}

function certificatesOf(pem: string): readonly CertificateInfo[] {
  const certificates = parseCertificates(pem);
  return certificates.ok ? certificates.value : [];
}

function refused(reason: EnrollmentRefusal, detail: string): EnrollmentOutcome {
  return { kind: 'refused', reason, detail };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown reason';
}
