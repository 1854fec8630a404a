/** Whose share of a bounded table a request counts against. */
import { addressGroup } from '../formats/address.ts';
import type { Passage } from './passage.ts';

/** The identity; where nobody logged in, the group of addresses. The two never meet: one has a space, the other none. */
export function partyOf({ identity, address }: Pick<Passage, 'identity' | 'address'>): string {
  return identity === null || identity.name === 'anonymous' ? `at ${addressGroup(address)}` : `= ${identity.name}`;
}
