/** When a scrape must have been answered: what Prometheus says in its header, less a margin to tell it. Pure. */

/** What Prometheus sends with each scrape (scrape/scrape.go): seconds as a decimal. */
export const SCRAPE_TIMEOUT_HEADER = 'x-prometheus-scrape-timeout-seconds';

const SECONDS = /^[0-9]{1,15}(?:\.[0-9]{1,15})?$/;
const SHORTEST_MS = 100;
/** The answer that says 504 must be written, sent and read before the scraper gives up. */
const MARGIN = { share: 0.05, leastMs: 20, mostMs: 500 } as const;

/**
 * @param header the request header; what is no plain decimal is as if it were not there.
 * @param limitMs the longest that the gate waits for the upstream's headers.
 * @returns milliseconds between 100 and the limit; null when the scraper says nothing.
 */
export function scrapeTimeoutMs(header: string | string[] | undefined, limitMs: number): number | null {
  if (typeof header !== 'string' || !SECONDS.test(header)) return null;
  return Math.round(Math.min(Math.max(Number(header) * 1000, SHORTEST_MS), Math.max(limitMs, SHORTEST_MS)));
}

/** @returns milliseconds after which the gate gives up on behalf of the scraper, 20 to 500 ms before it would. */
export function answerWithinMs(timeoutMs: number): number {
  return timeoutMs - Math.min(MARGIN.mostMs, Math.max(MARGIN.leastMs, timeoutMs * MARGIN.share));
}
