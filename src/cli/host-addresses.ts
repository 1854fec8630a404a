/** The addresses by which others reach this host, and which of them a certificate does not name. Pure. */
import type { NetworkInterfaceInfo } from 'node:os';
import { addressGroup, normalizeAddress } from '../formats/address-set.ts';

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** A container host has an address per bridge; a certificate with more names than this helps nobody. */
const MOST_ADDRESSES = 64;
/** RFC 3927, RFC 4291 §2.5.6: mean something on one link only. */
const LINK_LOCAL = /^(?:169\.254\.|fe[89ab][0-9a-f]:)/;

/** Addresses of all interfaces in the system's order, IPv4 first; loopback and link-local ones are left out. */
export function hostAddresses(interfaces: Interfaces): readonly string[] {
  const addresses = Object.values(interfaces)
    .flatMap((infos) => infos ?? [])
    .filter((info) => !info.internal)
    .flatMap((info) => normalizeAddress(info.address) ?? [])
    .filter((address) => !LINK_LOCAL.test(address));
  const unique = [...new Set(addresses)];
  const ipv4 = unique.filter((address) => !address.includes(':'));
  return [...ipv4, ...unique.filter((address) => address.includes(':'))].slice(0, MOST_ADDRESSES);
}

/**
 * Addresses that a certificate does not name. IPv6 counts by its /64: privacy addresses (RFC 8981) change every day,
 * and nobody scrapes by them.
 */
export function unnamedAddresses(names: readonly string[], addresses: readonly string[]): readonly string[] {
  const named = new Set(names.flatMap((name) => normalizeAddress(name) ?? []).map(addressGroup));
  const groups = new Map(addresses.map((address) => [addressGroup(address), address]));
  return [...groups].flatMap(([group, address]) => (named.has(group) ? [] : [address]));
}
