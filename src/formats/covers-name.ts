/** Whether a certificate has a name, as clients see it. Pure. */
import { normalizeAddress } from './address-set.ts';

/**
 * @param names DNS names and IP addresses of a certificate.
 * @param wanted as it is there, or, for a DNS name, by a `*.` that stands for its first label (RFC 6125 §6.4.3).
 */
export function coversName(names: readonly string[], wanted: string): boolean {
  const name = canonical(wanted);
  const own = names.map(canonical);
  if (own.includes(name)) return true;
  const dot = name.indexOf('.');
  return dot > 0 && normalizeAddress(name) === null && !name.startsWith('*') && own.includes(`*${name.slice(dot)}`);
}

function canonical(name: string): string {
  return normalizeAddress(name) ?? name.toLowerCase().replace(/\.$/, '');
}
