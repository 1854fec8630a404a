/** The parts that certificates and CRLs share: distinguished names, serial numbers, extensions, general names. */
import { formatIpv4, formatIpv6, mappedIpv4 } from './address.ts';
import { DerFault, DerReader, TAG } from './der.ts';

/** Subject alternative names by type; IP addresses in normal form, DNS names in lower case. */
export interface SubjectAltNames {
  readonly dns: readonly string[];
  readonly email: readonly string[];
  readonly uri: readonly string[];
  readonly ip: readonly string[];
}

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** The DER inside the OCTET STRING. */
  readonly value: Buffer;
}

const COMMON_NAME = '2.5.4.3';
const ATTRIBUTE_NAMES: Readonly<Record<string, string>> = {
  [COMMON_NAME]: 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** Upper-case hex of an INTEGER's bytes as OpenSSL prints serial numbers: no leading zero bytes, `0` for zero. */
export function serialHex(bytes: Buffer): string {
  const [first] = bytes;
  if (first === undefined) throw new DerFault('an empty serial number');
  if (first >= 0x80) throw new DerFault('a negative serial number');
  let start = 0;
  while (bytes[start] === 0) start++;
  return start === bytes.length ? '0' : bytes.subarray(start).toString('hex').toUpperCase();
}

/** `[n] EXPLICIT Extensions`, entered: each extension once (RFC 5280 §4.2). */
export function extensionsOf(wrapped: DerReader): Extension[] {
  const list = wrapped.enter(TAG.sequence);
  wrapped.end();
  const extensions = new Map<string, Extension>();
  while (!list.isAtEnd()) {
    const extension = list.enter(TAG.sequence);
    const oid = extension.oid();
    const critical = extension.peek() === TAG.boolean && extension.read(TAG.boolean)[0] !== 0;
    const value = extension.read(TAG.octetString);
    extension.end();
    if (extensions.has(oid)) throw new DerFault(`the extension ${oid} occurs twice`);
    extensions.set(oid, { oid, critical, value });
  }
  return [...extensions.values()];
}

interface Attribute {
  readonly oid: string;
  /** null when the bytes are not what their string type promises. */
  readonly text: string | null;
}

function attributesOf(name: Buffer): Attribute[] {
  const attributes: Attribute[] = [];
  const rdns = new DerReader(name).enter(TAG.sequence);
  while (!rdns.isAtEnd()) {
    const rdn = rdns.enter(TAG.set);
    while (!rdn.isAtEnd()) {
      const attribute = rdn.enter(TAG.sequence);
      const oid = attribute.oid();
      const tag = attribute.peek();
      attributes.push({ oid, text: directoryString(tag, attribute.read(tag)) });
      attribute.end();
    }
  }
  return attributes;
}

function directoryString(tag: number, bytes: Buffer): string | null {
  switch (tag) {
    case TAG.utf8String:
      return bytes.toString('utf8').includes('\ufffd') ? null : bytes.toString('utf8');
    case TAG.printableString:
    case TAG.ia5String:
      return bytes.every((byte) => byte < 0x80) ? bytes.toString('latin1') : null;
    case TAG.teletexString:
      return bytes.toString('latin1');
    case TAG.bmpString:
      return bytes.length % 2 === 0 ? Buffer.from(bytes).swap16().toString('utf16le') : null;
    default:
      return null;
  }
}

/** A name (its whole DER element) for people: `C=DE, O=Example, CN=a`, special characters as RFC 4514 escapes them. */
export function nameText(name: Buffer): string {
  return attributesOf(name)
    .map(({ oid, text }) => `${ATTRIBUTE_NAMES[oid] ?? oid}=${text === null ? '?' : escapeValue(text)}`)
    .join(', ');
}

function escapeValue(text: string): string {
  return text
    .replace(/[\\",;+<>=]/g, '\\$&')
    .replace(/[^\x20-\x7e\xa0-\uffff]/g, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/**
 * The CN of a name. null when there is none, and also when there are several or it holds control characters: software
 * disagrees on which counts, and what is read in two ways must not identify anybody.
 */
export function commonNameOf(name: Buffer): string | null {
  const names = attributesOf(name).filter(({ oid }) => oid === COMMON_NAME);
  const text = names.length === 1 ? names[0]?.text : null;
  return text === null || text === undefined || text === '' || CONTROL.test(text) ? null : text;
}

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;
/** Printable ASCII without the space; a NUL inside a name once made `a.com\0.evil.org` pass as `a.com`. */
const VISIBLE = /^[\x21-\x7e]+$/;

/**
 * The value of a subjectAltName extension (RFC 5280 §4.2.1.6) by type. Names of other types are passed over, and so are
 * names that are not printable ASCII, or not 4 or 16 bytes of an address: they name nobody.
 */
export function generalNames(value: Buffer): SubjectAltNames {
  const names = { dns: [] as string[], email: [] as string[], uri: [] as string[], ip: [] as string[] };
  const list = new DerReader(value);
  const entries = list.enter(TAG.sequence);
  list.end();
  while (!entries.isAtEnd()) {
    const tag = entries.peek();
    const bytes = entries.skip();
    const text = bytes.toString('latin1');
    if (tag === 0x87) {
      const address = addressOf(bytes);
      if (address !== null) names.ip.push(address);
    } else if (VISIBLE.test(text)) {
      if (tag === 0x81) names.email.push(text);
      if (tag === 0x82) names.dns.push(text.toLowerCase());
      if (tag === 0x86) names.uri.push(text);
    }
  }
  return names;
}

function addressOf(bytes: Buffer): string | null {
  if (bytes.length === 4) return formatIpv4(bytes.readUInt32BE());
  if (bytes.length !== 16) return null;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index));
  const quad = mappedIpv4(groups);
  return quad === -1 ? formatIpv6(groups) : formatIpv4(quad);
}
