/**
 * Durations in the two grammars that a configuration meets: Prometheus's (`1h30m`, whole numbers, units in descending
 * order) and Go's (`1.5h`), which web.yml uses for `rate_limit.interval`. Both end at the int64 nanoseconds of Go.
 */
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Some 292 years: 2^63 - 1 ns. */
const LONGEST_MS = 9_223_372_036_854;

const PROMETHEUS = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const PROMETHEUS_UNITS = [365 * DAY, 7 * DAY, DAY, HOUR, MINUTE, SECOND, 1];

const GO = /^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const GO_UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
};

const LONGEST_TEXT = 64;

/** Reads a duration as Prometheus's configuration has it: `30s`, `1h30m`, `0`. @returns whole milliseconds. */
export function parsePrometheusDuration(text: string): Parsed<number> {
  if (text === '0') return parsed(0);
  const found = text === '' || text.length > LONGEST_TEXT ? null : PROMETHEUS.exec(text);
  if (found === null) return unparsed('not a duration; expected one such as 30s, 5m or 1h30m', prometheusHint(text));
  const ms = PROMETHEUS_UNITS.reduce((sum, unit, index) => sum + Number(found[index + 1] ?? 0) * unit, 0);
  return bounded(ms);
}

function prometheusHint(text: string): string | undefined {
  if (/^\d{1,9}$/.test(text)) return `a unit is missing: did you mean ${text}s?`;
  if (text.startsWith('-')) return 'a duration here cannot be negative';
  if (/^\d{1,9}\.\d{1,9}[a-z]+$/.test(text)) return 'only whole numbers: write 1h30m instead of 1.5h';
  return undefined;
}

/** Reads a duration as Go's time.ParseDuration does: `1.5h`, `300ms`, `1m0.5s`, `0`; negative ones are faults. @returns milliseconds, with fractions. */
export function parseGoDuration(text: string): Parsed<number> {
  if (text.startsWith('-')) return unparsed('a duration here cannot be negative');
  const unsigned = text.startsWith('+') ? text.slice(1) : text;
  if (unsigned === '0') return parsed(0);
  if (unsigned.length > LONGEST_TEXT || !GO.test(unsigned)) {
    const hint = /^\d{1,9}$/.test(text) ? `a unit is missing: did you mean ${text}s?` : goHint(text);
    return unparsed('not a duration; expected one such as 300ms, 1.5s or 1m30s', hint);
  }
  let ms = 0;
  for (const [, number, unit = ''] of unsigned.matchAll(/([\d.]+)([^\d.]+)/g)) {
    ms += Number(number) * (GO_UNITS[unit] ?? 0);
  }
  return bounded(ms);
}

function goHint(text: string): string | undefined {
  return /^\d{1,9}[dwy]/.test(text) ? 'the longest unit here is the hour (h)' : undefined;
}

function bounded(ms: number): Parsed<number> {
  return ms <= LONGEST_MS ? parsed(ms) : unparsed('the duration is too long: the most is 292 years');
}
