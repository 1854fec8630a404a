/** `rate_limit` of web.yml: one global token bucket before authentication (golang.org/x/time/rate's semantics). */
import type { RateLimit } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';

export interface RateLimiter {
  /** Takes a token; or says in how many milliseconds the next one comes. */
  take(): { readonly ok: true } | { readonly ok: false; readonly waitMs: number };
}

const UNLIMITED: RateLimiter = { take: () => ({ ok: true }) };

/** A bucket that starts full with `burst` tokens and gains one every `intervalMs`. null: no limit. */
export function createRateLimiter(limit: RateLimit | null, clock: Clock): RateLimiter {
  if (limit === null || limit.intervalMs <= 0) return UNLIMITED;
  const { intervalMs, burst } = limit;
  let tokens = burst;
  let countedAt = clock.monotonic();
  return {
    take() {
      const now = clock.monotonic();
      tokens = Math.min(burst, tokens + (now - countedAt) / intervalMs);
      countedAt = now;
      if (tokens >= 1) {
        tokens -= 1;
        return { ok: true };
      }
      return { ok: false, waitMs: (1 - tokens) * intervalMs };
    },
  };
}
