/**
 * Name constraints (RFC 5280 §4.2.1.10): what a CA may certify. Whoever steals its key can then make no certificate for
 * other names that a verifier would take. Pure.
 */
import { parseIpv4, parseIpv6 } from '../../formats/address.ts';
import { parseCidr } from '../../formats/address-set.ts';
import type { Cidr } from '../../formats/address-set.ts';
import { DerFault, DerReader, TAG } from '../../formats/der.ts';
import { derElement } from './der-writer.ts';
import { isDnsName } from './names.ts';
import type { AlternativeName } from './names.ts';

export const NAME_CONSTRAINTS = '2.5.29.30';

/** What may be certified; a kind of which nothing is permitted is excluded as a whole. */
export interface PermittedNames {
  /** `example.com` stands for itself and everything below it. */
  readonly dns: readonly string[];
  readonly ip: readonly Cidr[];
}

const EMAIL = 0x81;
const DNS_NAME = 0x82;
const URI = 0x86;
const IP_ADDRESS = 0x87;
const TAG_OF: Readonly<Record<AlternativeName['type'], number>> = {
  dns: DNS_NAME,
  ip: IP_ADDRESS,
  email: EMAIL,
  uri: URI,
};
/** The host of no address and of no URI (RFC 2606 §2). */
const NO_HOST = Buffer.from('invalid', 'latin1');

/** What the CA of a fleet may be narrowed to, from text. @throws {TypeError} for what is neither a name nor a network. */
export function permittedNames(dns: readonly string[], ip: readonly string[]): PermittedNames {
  return {
    dns: dns.map((text) => {
      const name = text.replace(/^\./, '').toLowerCase();
      if (!isDnsName(name) || name.startsWith('*')) throw new TypeError(`${JSON.stringify(text)} is not a DNS name`);
      return name;
    }),
    ip: ip.map((text) => {
      const cidr = parseCidr(text);
      if (cidr.ok) return cidr.value;
      throw new TypeError(cidr.hint === undefined ? cidr.message : `${cidr.message} (${cidr.hint})`);
    }),
  };
}

/**
 * The value of the extension. With permitted addresses alone OpenSSL and Go would still take any DNS name, and the other
 * way round: what is not permitted is excluded by name. E-mail addresses and URIs of which nothing is permitted are
 * excluded twice: the empty subtree is all of them to Go and NSS and nothing to OpenSSL (crypto/x509/v3_ncons.c), which
 * refuses what is not below the one host that is permitted and does not exist. Directory names stay free: Go takes no
 * certificate of a CA whose critical constraints speak of a type that it does not know, and that is one.
 */
export function encodeNameConstraints({ dns, ip }: PermittedNames): Buffer {
  const permitted = [
    ...dns.map((name) => subtree(DNS_NAME, Buffer.from(name, 'latin1'))),
    ...ip.map((cidr) => subtree(IP_ADDRESS, networkBytes(cidr))),
    ...[EMAIL, URI].map((tag) => subtree(tag, NO_HOST)),
  ];
  const excluded = [
    ...(dns.length === 0 ? [subtree(DNS_NAME, Buffer.alloc(0))] : []),
    ...(ip.some(({ version }) => version === 4) ? [] : [subtree(IP_ADDRESS, Buffer.alloc(8))]),
    ...(ip.some(({ version }) => version === 6) ? [] : [subtree(IP_ADDRESS, Buffer.alloc(32))]),
    ...[EMAIL, URI].map((tag) => subtree(tag, Buffer.alloc(0))),
  ];
  return derElement(
    TAG.sequence,
    ...(permitted.length === 0 ? [] : [derElement(TAG.context0, ...permitted)]),
    ...(excluded.length === 0 ? [] : [derElement(TAG.context1, ...excluded)]),
  );
}

function subtree(tag: number, value: Buffer): Buffer {
  return derElement(TAG.sequence, derElement(tag, value));
}

function networkBytes({ version, bits, prefix }: Cidr): Buffer {
  const width = version === 4 ? 32 : 128;
  const mask = ((1n << BigInt(prefix)) - 1n) << BigInt(width - prefix);
  const bytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(width / 4, '0'), 'hex');
  return Buffer.concat([bytes(bits), bytes(mask)]);
}

/** The subtrees of an extension as they stand in it. */
interface Constraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

interface Subtree {
  readonly tag: number;
  readonly value: Buffer;
}

function readConstraints(der: Buffer): Constraints {
  const file = new DerReader(der);
  const list = file.enter(TAG.sequence);
  file.end();
  const permitted = list.peek() === TAG.context0 ? readSubtrees(list.enter(TAG.context0)) : [];
  const excluded = list.peek() === TAG.context1 ? readSubtrees(list.enter(TAG.context1)) : [];
  list.end();
  return { permitted, excluded };
}

function readSubtrees(list: DerReader): Subtree[] {
  const subtrees: Subtree[] = [];
  while (!list.isAtEnd()) {
    const item = list.enter(TAG.sequence);
    const tag = item.peek();
    subtrees.push({ tag, value: item.skip() });
    // minimum 0 is the default and maximum must be absent: anything more is not understood, so nothing is permitted.
    item.end();
  }
  return subtrees;
}

/**
 * Whether a CA with this extension may certify a name, so that it is refused before it is signed and not at the first
 * handshake. Names of kinds that the extension does not speak of are free; one that cannot be read permits nothing.
 */
export function isPermitted(extension: Buffer, name: AlternativeName): boolean {
  try {
    const { permitted, excluded } = readConstraints(extension);
    const tag = TAG_OF[name.type];
    const holds = ({ tag: kind, value }: Subtree): boolean => kind === tag && isWithin(name, value);
    const ofKind = permitted.filter(({ tag: kind }) => kind === tag);
    return !excluded.some(holds) && (ofKind.length === 0 || ofKind.some(holds));
  } catch (error) {
    if (error instanceof DerFault) return false;
    throw error;
  }
}

function isWithin({ type, value }: AlternativeName, subtreeValue: Buffer): boolean {
  if (type === 'ip') return isInNetwork(addressBytes(value), subtreeValue);
  const base = subtreeValue.toString('latin1').toLowerCase().replace(/^\./, '');
  const name = hostOf(type, value.toLowerCase());
  return base === '' || name === base || name.endsWith(`.${base}`);
}

/** What a subtree of this type is about: the host of an address or of a URI; of a URI without one, nothing permitted. */
function hostOf(type: 'dns' | 'email' | 'uri', name: string): string {
  if (type === 'email') return name.slice(name.lastIndexOf('@') + 1);
  return type === 'uri' ? (/^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:]+)/.exec(name)?.[1] ?? '\0') : name;
}

function isInNetwork(address: Buffer, network: Buffer): boolean {
  if (network.length !== 2 * address.length) return false;
  return address.every((byte, index) => {
    const mask = network[address.length + index] ?? 0;
    return (byte & mask) === ((network[index] ?? 0) & mask);
  });
}

function addressBytes(text: string): Buffer {
  const quad = parseIpv4(text);
  if (quad !== -1) return Buffer.from(quad.toString(16).padStart(8, '0'), 'hex');
  const groups = parseIpv6(text) ?? [];
  return Buffer.from(groups.map((group) => group.toString(16).padStart(4, '0')).join(''), 'hex');
}
