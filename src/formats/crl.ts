/**
 * Certificate revocation lists (RFC 5280 §5), PEM. Only what is needed to judge a live connection again: OpenSSL
 * verifies the signature of the same bytes at the handshake. A list that says less than it seems to is refused.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { DerFault, DerReader, TAG } from './der.ts';
import { extensionsOf, nameText, serialHex } from './der-names.ts';
import { foundInstead, parsePem, toPem } from './pem.ts';
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

export interface Crl {
  /** Labelled `X509 CRL`, as OpenSSL wants it. */
  readonly pem: string;
  /** For messages: `O=Example, CN=Example CA`. */
  readonly issuer: string;
  /** SHA-256 hex of the DER-encoded issuer name: equals `issuerKey` of the certificates that the list is about. */
  readonly issuerKey: string;
  /** The authorityKeyIdentifier extension, hex, empty without one: tells two CAs of one name apart. */
  readonly authorityKey: string;
  /** The cRLNumber extension; null in a list without one. */
  readonly number: bigint | null;
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | null;
  /** Serial numbers, upper-case hex, as `CertificateInfo.serial`. */
  readonly revoked: ReadonlySet<string>;
}

const LABELS = ['X509 CRL', 'CRL'];
const CRL_NUMBER = '2.5.29.20';
const DELTA_CRL_INDICATOR = '2.5.29.27';
const ISSUING_DISTRIBUTION_POINT = '2.5.29.28';
const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';

/** Reads every list of a PEM file; one that cannot be read spoils the file, since half a revocation is none. */
export function parseCrls(pem: string): Parsed<Crl[]> {
  const blocks = parsePem(pem);
  if (!blocks.ok) return blocks;
  const lists = blocks.value.filter(({ label }) => LABELS.includes(label));
  if (lists.length === 0) {
    return unparsed(
      `no CRL found${foundInstead(pem, blocks.value)}`,
      'convert DER with `openssl crl -inform der -in FILE`',
    );
  }
  const crls: Crl[] = [];
  for (const { der, line } of lists) {
    try {
      crls.push(readCrl(der));
    } catch (error) {
      if (!(error instanceof DerFault)) throw error;
      return unparsed(`the CRL cannot be used: ${error.message}`, undefined, line);
    }
  }
  return parsed(crls);
}

/** Signature algorithms (RFC 5758, RFC 8017, RFC 8410) and their hash for node:crypto; null: the algorithm brings its own. */
const HASH_OF_SIGNATURE: Readonly<Record<string, string | null>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
};

/**
 * Whether a key has signed a list: for where OpenSSL does not get it.
 * @param publicKeySpki DER, as in `CertificateInfo`.
 * @returns false also for an algorithm that is not known here, SHA-1 among them.
 */
export function isCrlSignedBy({ pem }: Pick<Crl, 'pem'>, publicKeySpki: Buffer): boolean {
  const blocks = parsePem(pem);
  const der = blocks.ok ? blocks.value[0]?.der : undefined;
  if (der === undefined) return false;
  try {
    const list = new DerReader(der).enter(TAG.sequence);
    const tbs = list.element(TAG.sequence);
    const hash = HASH_OF_SIGNATURE[list.enter(TAG.sequence).oid()];
    const [unusedBits, ...signature] = list.read(TAG.bitString);
    if (hash === undefined || unusedBits !== 0) return false;
    const key = createPublicKey({ key: publicKeySpki, type: 'spki', format: 'der' });
    return verify(hash, tbs, key, Buffer.from(signature));
  } catch {
    return false;
  }
}

function readCrl(der: Buffer): Crl {
  const file = new DerReader(der);
  const list = file.enter(TAG.sequence);
  file.end();
  const tbs = list.enter(TAG.sequence);
  list.read(TAG.sequence);
  list.read(TAG.bitString);
  list.end();

  if (tbs.peek() === TAG.integer) tbs.read(TAG.integer);
  tbs.read(TAG.sequence);
  const issuer = tbs.element(TAG.sequence);
  const thisUpdate = tbs.time();
  const nextUpdate = tbs.peek() === TAG.utcTime || tbs.peek() === TAG.generalizedTime ? tbs.time() : null;
  const revoked = tbs.peek() === TAG.sequence ? readRevoked(tbs.enter(TAG.sequence)) : new Set<string>();
  const extensions = tbs.peek() === TAG.context0 ? readExtensions(tbs.enter(TAG.context0)) : NO_EXTENSIONS;
  tbs.end();
  return {
    pem: toPem('X509 CRL', der),
    issuer: nameText(issuer),
    issuerKey: createHash('sha256').update(issuer).digest('hex'),
    ...extensions,
    thisUpdate,
    nextUpdate,
    revoked,
  };
}

function readRevoked(entries: DerReader): Set<string> {
  const serials = new Set<string>();
  while (!entries.isAtEnd()) {
    serials.add(serialHex(entries.enter(TAG.sequence).integer()));
  }
  return serials;
}

type Extensions = Pick<Crl, 'number' | 'authorityKey'>;

const NO_EXTENSIONS: Extensions = { number: null, authorityKey: '' };

/** @throws DerFault for a list that does not speak of all certificates of its issuer. */
function readExtensions(wrapped: DerReader): Extensions {
  let { number, authorityKey } = NO_EXTENSIONS;
  for (const { oid, critical, value } of extensionsOf(wrapped)) {
    if (oid === CRL_NUMBER) {
      const hex = new DerReader(value).integer().toString('hex');
      number = BigInt(`0x${hex}`);
    } else if (oid === DELTA_CRL_INDICATOR) {
      throw new DerFault('it is a delta CRL, which lists changes only');
    } else if (oid === ISSUING_DISTRIBUTION_POINT) {
      refusePartialScope(new DerReader(value).enter(TAG.sequence));
    } else if (oid === AUTHORITY_KEY_IDENTIFIER) {
      authorityKey = value.toString('hex');
    } else if (critical) {
      throw new DerFault(`unknown critical extension ${oid}`);
    }
  }
  return { number, authorityKey };
}

/** RFC 5280 §5.2.5: [3] onlySomeReasons, [4] indirectCRL; what is left speaks of this issuer's certificates. */
function refusePartialScope(scope: DerReader): void {
  while (!scope.isAtEnd()) {
    const number = scope.peek() & 0x1f;
    if (number === 3) throw new DerFault('it lists some reasons for revocation only');
    if (number === 4) throw new DerFault('it is an indirect CRL, of several issuers');
    scope.skip();
  }
}
