/**
 * `client_allowed_sans`: exact values as in web.yml, compared by type. A DNS SAN that spells an IP address or an e-mail
 * address is not that address: a CA that vouches for names does not vouch for those.
 */
import { normalizeAddress } from '../../formats/address-set.ts';
import type { SubjectAltNames } from '../identity.ts';

/** Whether one of the certificate's names is in the list; an empty list allows all. */
export function isSanAllowed(sans: SubjectAltNames, allowed: readonly string[]): boolean {
  return allowed.length === 0 || allowed.some((text) => hasName(sans, text));
}

function hasName(sans: SubjectAltNames, text: string): boolean {
  const address = normalizeAddress(text);
  if (address !== null) return sans.ip.some((ip) => (normalizeAddress(ip) ?? ip) === address);
  // A URI always has a colon (RFC 3986 §3), a DNS name never has one, and neither has a mailbox that is not quoted.
  if (text.includes(':')) return sans.uri.includes(text);
  if (text.includes('@')) return sans.email.includes(text);
  const name = text.toLowerCase();
  return sans.dns.some((dns) => dns.toLowerCase() === name);
}
