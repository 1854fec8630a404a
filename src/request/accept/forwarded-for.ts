/** The client's address behind trusted proxies: the right-most hop of X-Forwarded-For that is not one of them. Pure. */
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
    const normal = normalizeAddress(hop.trim());
    if (normal === null) return { kind: 'fault', detail: 'a hop that is not an IP address' };
    address = normal;
    if (!trusted.has(normal)) break;
  }
  return { kind: 'address', address, forwarded: true };
}
