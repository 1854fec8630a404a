/** The client's address behind trusted proxies: the right-most hop of X-Forwarded-For that is not one of them. Pure. */
import { isIPv6 } from 'node:net';
import { normalizeAddress } from '../../formats/address-set.ts';
import type { AddressSet } from '../../formats/address-set.ts';

/** Longer chains than this are not walked: nobody has so many proxies of their own. */
const MOST_HOPS = 32;

export type ClientAddress =
  | { readonly kind: 'address'; readonly address: string; readonly forwarded: boolean }
  | { readonly kind: 'fault'; readonly detail: string };

/**
 * @param header X-Forwarded-For with repeated fields joined by a comma, as Node gives it.
 * @returns the peer itself unless it is a trusted proxy that sent the header; a fault for a token that is no address,
 * because whoever stands behind a proxy that we cannot read is nobody whom we could admit.
 */
export function clientAddress(peer: string, header: string | undefined, trusted: AddressSet): ClientAddress {
  if (header === undefined || trusted.size === 0 || !trusted.has(peer)) {
    return { kind: 'address', address: peer, forwarded: false };
  }
  const hops = header.split(',');
  if (hops.length > MOST_HOPS) return { kind: 'fault', detail: `more than ${MOST_HOPS} hops` };
  let address = peer;
  for (const hop of hops.toReversed()) {
    const normal = addressOf(hop.trim());
    if (normal === null) return { kind: 'fault', detail: 'a hop that is not an IP address' };
    address = normal;
    if (!trusted.has(normal)) break;
  }
  return { kind: 'address', address, forwarded: true };
}

/** `[v6]`, `[v6]:port` (RFC 7239 writes it so), `v4:port` (Azure's gateways append one). */
const WITH_PORT = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/;
const MAX_PORT = 65_535;

/** @returns null for what is no address, with or without a port. A bare IPv6 address never has one. */
function addressOf(hop: string): string | null {
  const match = WITH_PORT.exec(hop);
  if (match === null) return normalizeAddress(hop);
  const [, bracketed, quad = '', port = '0'] = match;
  if (Number(port) > MAX_PORT) return null;
  if (bracketed === undefined) return normalizeAddress(quad);
  return isIPv6(bracketed) ? normalizeAddress(bracketed) : null;
}
