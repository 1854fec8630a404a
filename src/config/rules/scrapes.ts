/** Rules of what an upstream says of its scrapes. */
import type { Problem } from '../../lib/problem.ts';
import { error, warning } from './rule.ts';
import type { Rule } from './rule.ts';

/** Prometheus's own default, and how old a sample may be that `/federate` gives. */
const LOOKBACK_MS = 5 * 60_000;
const STALE = 'max_age is not less than the 5 minutes of the lookback: who federates would see gaps';
const STALE_HINT = 'half the scrape interval of those who share is enough';

export const scrapeRule: Rule = ({ raw }) =>
  raw.upstreams.flatMap(({ url, kind, share, max_age: maxAge }, index): Problem[] => {
    if (maxAge === 0) return [];
    const place = ['upstreams', index, 'max_age'];
    if (share === 'off') {
      const hint = 'remove one of the two';
      return [
        error('max_age gives an answer again, share: off gives none to anybody else', place, { at: 'key', hint }),
      ];
    }
    // The gate itself has a /federate, whatever its kind.
    if (kind !== 'exporter' || url.address.kind === 'self') {
      return maxAge < LOOKBACK_MS ? [] : [warning(STALE, place, { at: 'key', hint: STALE_HINT })];
    }
    return [
      warning('max_age has no effect: it is for /federate, which an exporter does not have', place, { at: 'key' }),
    ];
  });
