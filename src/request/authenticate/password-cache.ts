/**
 * Right credentials, remembered so that a scraper costs one hash a change and not one a scrape. Bounded. Holds keyed
 * digests only; whoever reads the memory finds no password in it.
 */
import { LRUCache } from 'lru-cache';
import type { KeyedDigest } from './keyed-digest.ts';

/** More right passwords than this are in use nowhere; an attacker cannot fill it, since he would have to know them. */
const CAPACITY = 16_384;

export interface PasswordCache {
  /** @param lineId the line of the user that the password fits; its id changes with the line. */
  keyOf(generation: string, user: string, lineId: string, password: string): string;
  has(key: string): boolean;
  /**
   * Remembers a right credential, unless the generation under which its check began is over: what was right yesterday
   * must not come back after a reload.
   */
  remember(key: string, generation: string): void;
  /** Forgets everything when the credentials have changed. */
  renew(generation: string): void;
  readonly size: number;
}

export function createPasswordCache(digest: KeyedDigest, capacity: number = CAPACITY): PasswordCache {
  const right = new LRUCache<string, true>({ max: capacity });
  let current: string | null = null;
  return {
    keyOf: (generation, user, lineId, password) => digest('right', generation, user, lineId, password),
    has: (key) => right.get(key) === true,
    remember(key, generation) {
      if (generation === current) right.set(key, true);
    },
    renew(generation) {
      if (generation === current) return;
      current = generation;
      right.clear();
    },
    get size() {
      return right.size;
    },
  };
}
