/**
 * Sets of addresses and networks. A lookup costs one hash per distinct prefix length, whatever the number of entries:
 * Node 20's net.BlockList is linear. IPv4 and IPv6 never mix: `::/0` holds no IPv4 address.
 */
import { formatIpv4, formatIpv6, mappedIpv4, parseIpv4, parseIpv6 } from './address.ts';
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

export { addressGroup, addressPath, normalizeAddress } from './address.ts';

export interface AddressSet {
  /** How many networks were put in. */
  readonly size: number;
  /** Whether the address, in any spelling, is in the set; false for a text that is no address. */
  has(address: string): boolean;
}

/** A network in normal form: no host bits, and never an IPv4-mapped IPv6 one. */
export interface Cidr {
  readonly version: 4 | 6;
  /** The network as an unsigned number of 32 or 128 bits. */
  readonly bits: bigint;
  readonly prefix: number;
}

const EXPECTED = 'expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32';

/**
 * Reads an address (a network of one) or a network in CIDR notation (RFC 4632, RFC 4291 §2.3). `::ffff:10.0.0.0/104`
 * is 10.0.0.0/8. Host bits, zone ids and netmasks are faults.
 */
export function parseCidr(text: string): Parsed<Cidr> {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const length = slash === -1 ? null : text.slice(slash + 1);
  if (address.includes('%')) return unparsed('a zone id (%…) cannot be part of a rule', 'leave it out');
  const quad = parseIpv4(address);
  if (quad !== -1) return network(4, BigInt(quad), length);
  const groups = parseIpv6(address);
  if (groups === null) return unparsed(`not an IP address; ${EXPECTED}`);
  const mapped = mappedIpv4(groups);
  if (mapped !== -1 && (length === null || /^(?:9[6-9]|1[01]\d|12[0-8])$/.test(length))) {
    return network(4, BigInt(mapped), length === null ? null : String(Number(length) - 96));
  }
  return network(6, bitsOfGroups(groups), length);
}

function network(version: 4 | 6, bits: bigint, length: string | null): Parsed<Cidr> {
  const width = version === 4 ? 32 : 128;
  if (length !== null && !/^(?:0|[1-9]\d{0,2})$/.test(length)) {
    const hint = version === 4 ? netmaskHint(bits, length) : undefined;
    return unparsed(`the prefix length is not a number from 0 to ${String(width)}`, hint);
  }
  const prefix = length === null ? width : Number(length);
  if (prefix > width) return unparsed(`the prefix length is ${String(prefix)}, expected 0 to ${String(width)}`);
  const cidr = cidrOf(version, bits, prefix);
  if (cidr.bits !== bits) return unparsed('the network has host bits set', `did you mean ${formatCidr(cidr)}?`);
  return parsed(cidr);
}

function cidrOf(version: 4 | 6, bits: bigint, prefix: number): Cidr {
  const hostBits = BigInt((version === 4 ? 32 : 128) - prefix);
  return { version, bits: (bits >> hostBits) << hostBits, prefix };
}

/** `10.0.0.0/255.0.0.0` is how ufw and nginx users of old write it. */
function netmaskHint(bits: bigint, length: string): string | undefined {
  const mask = parseIpv4(length);
  if (mask === -1) return undefined;
  const prefix = Math.clz32(~mask >>> 0);
  if (ipv4Mask(prefix) !== mask) return undefined;
  return `did you mean ${formatCidr(cidrOf(4, bits, prefix))}?`;
}

function bitsOfGroups(groups: readonly number[]): bigint {
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

function groupsOfBits(bits: bigint): number[] {
  return Array.from({ length: 8 }, (_, index) => Number((bits >> BigInt(112 - 16 * index)) & 0xffffn));
}

/** The text that `parseCidr` reads back: always with a prefix length. */
export function formatCidr(cidr: Cidr): string {
  const address = cidr.version === 4 ? formatIpv4(Number(cidr.bits)) : formatIpv6(groupsOfBits(cidr.bits));
  return `${address}/${String(cidr.prefix)}`;
}

/** A shift by 32 is a shift by 0 in JavaScript. */
function ipv4Mask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

function ipv6Masks(prefix: number): number[] {
  return groupsOfBits(((1n << BigInt(prefix)) - 1n) << BigInt(128 - prefix));
}

interface Ipv4Networks {
  readonly mask: number;
  readonly networks: Set<number>;
}

/** Keys are the eight masked groups as one string: a BigInt's hash is made of its low 64 bits, zero in most networks. */
interface Ipv6Networks {
  readonly masks: readonly number[];
  readonly networks: Set<string>;
}

function ipv6Key(groups: readonly number[], masks: readonly number[]): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const [i = 0, j = 0, k = 0, l = 0, m = 0, n = 0, o = 0, p = 0] = masks;
  return String.fromCharCode(a & i, b & j, c & k, d & l, e & m, f & n, g & o, h & p);
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

export function createAddressSet(cidrs: readonly Cidr[]): AddressSet {
  const ipv4 = new Map<number, Ipv4Networks>();
  const ipv6 = new Map<number, Ipv6Networks>();
  for (const { version, bits, prefix } of cidrs) {
    if (version === 4) {
      const entry = entryOf(ipv4, prefix, () => ({ mask: ipv4Mask(prefix), networks: new Set<number>() }));
      entry.networks.add((Number(bits) & entry.mask) >>> 0);
    } else {
      const entry = entryOf(ipv6, prefix, () => ({ masks: ipv6Masks(prefix), networks: new Set<string>() }));
      entry.networks.add(ipv6Key(groupsOfBits(bits), entry.masks));
    }
  }
  const ipv4Lengths = [...ipv4.values()];
  const ipv6Lengths = [...ipv6.values()];

  function hasIpv4(address: number): boolean {
    for (const { mask, networks } of ipv4Lengths) {
      if (networks.has((address & mask) >>> 0)) return true;
    }
    return false;
  }

  return {
    size: cidrs.length,
    has(address) {
      const quad = parseIpv4(address);
      if (quad !== -1) return hasIpv4(quad);
      const groups = parseIpv6(address);
      if (groups === null) return false;
      const mapped = mappedIpv4(groups);
      if (mapped !== -1) return hasIpv4(mapped);
      return ipv6Lengths.some(({ masks, networks }) => networks.has(ipv6Key(groups, masks)));
    },
  };
}

export const EMPTY_ADDRESS_SET: AddressSet = createAddressSet([]);
