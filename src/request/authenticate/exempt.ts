/** Public paths: which requests need no credentials. It skips authentication only, never the kind table, limits or caps. */
import type { Exempt } from '../../config/config.ts';
import type { Identity } from '../identity.ts';
import type { Target } from '../target.ts';

/** Who a request is from that proves nothing and need not. */
export const ANONYMOUS: Identity = {
  name: 'anonymous',
  label: 'anonymous',
  user: null,
  certificate: null,
  claim: { kind: 'open' },
};

/**
 * Whether a request to one of the exact public paths comes from where the entry says. Only GET and HEAD: a public path
 * is for looking.
 * @param target in normal form: what is compared is what is sent.
 * @param address the client's address, as accept has found it.
 */
export function isExempt(exempt: readonly Exempt[], target: Target, address: string): boolean {
  if (target.method !== 'GET' && target.method !== 'HEAD') return false;
  return exempt.some(({ paths, from }) => paths.has(target.path) && from.has(address));
}
