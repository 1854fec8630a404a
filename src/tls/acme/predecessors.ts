/**
 * What is served in the place of a certificate that no CA has issued yet: certificates that are valid now and have its
 * names, from files or from the configuration that was in force before. Pure.
 */
import type { KeyPair } from '../../config/config.ts';
import { coversName } from '../../formats/covers-name.ts';
import type { WantedCertificate } from './contract.ts';
import { SELF_SIGNED_PREFIX } from './pair.ts';

/**
 * The fewest that have as many of the names as there are candidates for; of equal ones the first. Names that none of
 * them has are refused by clients either way, so that a certificate for a part of the names is better than none.
 * @param candidates in the order of preference.
 * @param now milliseconds since the epoch.
 */
export function predecessorsOf(
  { names }: Pick<WantedCertificate, 'names'>,
  candidates: readonly KeyPair[],
  now: number,
): readonly KeyPair[] {
  const usable = candidates.filter(
    ({ name, notBefore, notAfter }) => !name.startsWith(SELF_SIGNED_PREFIX) && notBefore <= now && now < notAfter,
  );
  const chosen: KeyPair[] = [];
  let missing = names;
  for (;;) {
    const still = missing;
    const [best] = usable
      .map((pair) => ({ pair, count: still.filter((name) => coversName(pair.names, name)).length }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count);
    if (best === undefined) return chosen;
    chosen.push(best.pair);
    missing = still.filter((name) => !coversName(best.pair.names, name));
  }
}
