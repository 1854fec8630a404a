/**
 * Which of the credentials that were refused without being looked at come back. A scraper shows the same password at each
 * scrape; a guesser has a new one each time. So who returns can have a turn of its own, in which guesses do not compete.
 * Two Bloom filters an address group, of the current minute and the one before. Of 4000 guesses a minute two in a thousand
 * pass for one that came back, of 10 000 four in a hundred.
 */
import { LRUCache } from 'lru-cache';

const BYTES = 8192;
const PLACES = 4;
const SPAN_MS = 60_000;
/** 16 MB of filters. Those of addresses that have logged in are kept apart, where strangers cannot displace them. */
const MAX_GROUPS = 1024;

export interface Returning {
  /** @param credential a keyed digest in base64url. @returns whether it came in the last minute or two. */
  cameBefore(group: string, credential: string): boolean;
  /** It came, and was refused without being looked at. */
  note(group: string, credential: string, isProved: boolean): void;
}

interface Filters {
  startedAt: number;
  young: Buffer;
  old: Buffer | null;
}

/** @param now monotonic milliseconds. */
export function createReturning(now: () => number, maxGroups = MAX_GROUPS): Returning {
  const strangers = new LRUCache<string, Filters>({ max: maxGroups });
  const proved = new LRUCache<string, Filters>({ max: maxGroups });

  function current(filters: Filters): Filters {
    const age = now() - filters.startedAt;
    if (age < SPAN_MS) return filters;
    filters.old = age < 2 * SPAN_MS ? filters.young : null;
    filters.young = Buffer.alloc(BYTES);
    filters.startedAt = now();
    return filters;
  }

  return {
    cameBefore(group, credential) {
      const known = proved.get(group) ?? strangers.get(group);
      if (known === undefined) return false;
      const { young, old } = current(known);
      return has(young, credential) || (old !== null && has(old, credential));
    },
    note(group, credential, isProved) {
      const home = isProved ? proved : strangers;
      const filters = home.get(group) ?? { startedAt: now(), young: Buffer.alloc(BYTES), old: null };
      home.set(group, filters);
      for (const bit of bitsOf(credential)) {
        const { young } = current(filters);
        young.writeUInt8(young.readUInt8(bit >> 3) | (1 << (bit & 7)), bit >> 3);
      }
    },
  };
}

function has(filter: Buffer, credential: string): boolean {
  return bitsOf(credential).every((bit) => (filter.readUInt8(bit >> 3) & (1 << (bit & 7))) !== 0);
}

/** Four places among 65536. The digest is keyed: a stranger cannot choose them. */
function bitsOf(credential: string): readonly number[] {
  const bytes = Buffer.from(credential.slice(0, 11), 'base64url');
  return Array.from({ length: PLACES }, (_, index) => bytes.readUInt16BE(2 * index));
}
