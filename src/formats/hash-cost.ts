/** What one check of a password costs, by its hash: to warn of, to bound deadlines, and to keep dear ones from cheap ones. */
import type { HtpasswdHash } from './htpasswd-hash.ts';

/** Beyond this a hash is checked apart from the others. */
export const SLOW_HASH_MS = 2000;

/**
 * What one verification costs, about, in milliseconds of one core of 2020: to compare users with one another and to
 * bound deadlines, not to predict.
 */
export function hashCost(hash: HtpasswdHash): number {
  switch (hash.scheme) {
    case 'bcrypt':
      return 0.07 * 2 ** hash.cost;
    case 'apr1':
      return 2;
    case 'sha1':
    case 'ssha':
      return 0.01;
    case 'sha256-crypt':
    case 'sha512-crypt':
      return 0.0025 * hash.rounds;
  }
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** `18 seconds`, `20 minutes`: rounded, for a sentence. */
export function costInWords(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, least]) => milliseconds >= 2 * least) ?? ['second', 1000];
  const count = Math.round(milliseconds / size);
  return `${String(count)} ${unit}${count === 1 ? '' : 's'}`;
}
