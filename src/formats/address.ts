/**
 * IP addresses as text and as numbers: one normal form, so that a comparison of two texts is a comparison of two
 * addresses. What counts as an address is decided by net.isIP alone: no octal, no short forms, no NAT64 unwrapping.
 */
import { isIPv6 } from 'node:net';

/** A text longer than this is no address, zone id included; keeps strangers' headers away from the regular expression. */
const LONGEST = 128;

/**
 * Reads a dotted quad as an unsigned 32-bit number, without allocation: it runs for every connection and request.
 * @returns -1 when the text is anything else (leading zeros included: they are octal to some and decimal to others).
 */
export function parseIpv4(text: string): number {
  const { length } = text;
  if (length < 7 || length > 15) return -1;
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code === 46 /* . */) {
      if (octet === -1 || ++dots > 3) return -1;
      value = value * 256 + octet;
      octet = -1;
    } else if (code >= 48 && code <= 57 && octet !== 0) {
      octet = (octet === -1 ? 0 : octet * 10) + code - 48;
      if (octet > 255) return -1;
    } else {
      return -1;
    }
  }
  return octet === -1 || dots !== 3 ? -1 : value * 256 + octet;
}

export function formatIpv4(value: number): string {
  return `${String(value >>> 24)}.${String((value >>> 16) & 255)}.${String((value >>> 8) & 255)}.${String(value & 255)}`;
}

/** Reads an IPv6 address (RFC 4291 §2.2, a zone id is dropped) as its eight 16-bit groups; null for anything else. */
export function parseIpv6(text: string): readonly number[] | null {
  if (text.length > LONGEST || !isIPv6(text)) return null;
  const zone = text.indexOf('%');
  const address = zone === -1 ? text : text.slice(0, zone);
  const gap = address.indexOf('::');
  if (gap === -1) return groupsOf(address);
  const before = groupsOf(address.slice(0, gap));
  const after = groupsOf(address.slice(gap + 2));
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const quad = parseIpv4(group);
    return [quad >>> 16, quad & 0xffff];
  });
}

/** `::ffff:a.b.c.d` in any spelling: the IPv4 address as a number; -1 for every other IPv6 address. */
export function mappedIpv4(groups: readonly number[]): number {
  const [a, b, c, d, e, f, high = 0, low = 0] = groups;
  return a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff ? high * 65536 + low : -1;
}

/** RFC 5952: lower case, no leading zeros, the longest run (the first of equals, at least two) becomes `::`. */
export function formatIpv6(groups: readonly number[]): string {
  let start = -1;
  let longest = 1;
  for (let index = 0; index < groups.length; index++) {
    let end = index;
    while (groups[end] === 0) end++;
    if (end - index > longest) {
      start = index;
      longest = end - index;
    }
    if (end > index) index = end - 1;
  }
  const hex = groups.map((group) => group.toString(16));
  return start === -1 ? hex.join(':') : `${hex.slice(0, start).join(':')}::${hex.slice(start + longest).join(':')}`;
}

/**
 * The one text of an address: dotted quad, or RFC 5952. IPv4-mapped IPv6 becomes IPv4, zone ids are dropped.
 * @returns null when the text is no address (`010.1.2.3`, `10.1`, a host name, a CIDR).
 */
export function normalizeAddress(text: string): string | null {
  if (parseIpv4(text) !== -1) return text;
  const groups = parseIpv6(text);
  if (groups === null) return null;
  const quad = mappedIpv4(groups);
  return quad === -1 ? formatIpv6(groups) : formatIpv4(quad);
}

/**
 * What limits and lockouts count as one: an IPv4 address itself, an IPv6 address's /64 (`2001:db8::/64`), since one
 * host owns all of it. A text that is no address is its own group.
 */
export function addressGroup(address: string): string {
  if (parseIpv4(address) !== -1) return address;
  const groups = parseIpv6(address);
  if (groups === null) return address;
  const quad = mappedIpv4(groups);
  return quad === -1 ? `${formatIpv6([...groups.slice(0, 4), 0, 0, 0, 0])}/64` : formatIpv4(quad);
}

/**
 * The networks around an address, the widest first, down to its group. Their order is what turns are taken by: an owner of
 * a /48 or a /16 has as many groups as they like, and one widest network.
 */
export function addressPath(address: string): readonly string[] {
  const groups = parseIpv4(address) === -1 ? parseIpv6(address) : null;
  const quad = groups === null ? parseIpv4(address) : mappedIpv4(groups);
  if (quad !== -1) {
    const text = formatIpv4(quad);
    return [`${formatIpv4((quad & 0xffff0000) >>> 0)}/16`, `${formatIpv4((quad & 0xffffff00) >>> 0)}/24`, text];
  }
  if (groups === null) return [address];
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  const network = (prefix: number, ...first: number[]): string =>
    `${formatIpv6([...first, ...new Array<number>(8 - first.length).fill(0)])}/${String(prefix)}`;
  return [network(32, a, b), network(48, a, b, c), network(56, a, b, c, d & 0xff00), network(64, a, b, c, d)];
}
