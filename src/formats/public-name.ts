/**
 * Whether a CA that browsers trust may certify a name at all: names that are not in the public DNS, and addresses that
 * are not of the Internet, are refused by every one of them (CA/Browser Forum, Baseline Requirements 4.2.2 and 7.1.2.7).
 */
import { createAddressSet, normalizeAddress, parseCidr } from './address-set.ts';

/** RFC 6761, RFC 6762, RFC 8375, RFC 7686 apart; and what is used inside of organisations and was never delegated. */
const PRIVATE_SUFFIXES: readonly string[] = [
  ...['localhost', 'local', 'internal', 'test', 'example', 'invalid', 'home.arpa', 'alt'],
  ...['lan', 'home', 'corp', 'intranet', 'private', 'localdomain', 'domain', 'mail', 'workgroup'],
];
const NOT_PUBLIC = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
  ...['224.0.0.0/4', '240.0.0.0/4', '::/128', '::1/128', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
];

/** @returns why no public CA certifies it, as a clause; null when one may. */
export function unfitForPublicCa(name: string): string | null {
  const address = normalizeAddress(name);
  if (address !== null) return isPublic(address) ? null : 'is an address of a private network';
  const labels = name.toLowerCase().replace(/\.$/, '').replace(/^\*\./, '').split('.');
  const suffix = PRIVATE_SUFFIXES.find((one) => labels.slice(-one.split('.').length).join('.') === one);
  if (suffix !== undefined) return `is not in the public DNS (.${suffix})`;
  return labels.length < 2 ? 'is a single label, which the public DNS does not have' : null;
}

function isPublic(address: string): boolean {
  const networks = NOT_PUBLIC.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr.ok ? [cidr.value] : [];
  });
  return !createAddressSet(networks).has(address);
}
