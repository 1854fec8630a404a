/** The keys that say how much an identity may take in one scrape, and at once. */
import * as z from 'zod';
import { byteSize, duration, integer, optional } from './scalars.ts';

const NO_CAP = 'remove the key to cap nothing';

const keys = z.strictObject({
  bytes: optional(byteSize(1, NO_CAP)),
  series: optional(integer(1, 1_000_000_000, NO_CAP)),
  duration: optional(duration(100, NO_CAP)),
  concurrent_scrapes: optional(integer(1, 100_000, NO_CAP)),
});

/** A section whose every line is commented out counts as written and empty: rules/caps.ts says that it caps nothing. */
export const caps = z.preprocess((value) => (value === null ? {} : value), keys.optional()).optional();

export type RawCaps = z.output<typeof keys>;
