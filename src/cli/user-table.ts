/** Who was here → lines for a person. Pure; foreign text (names in certificates) is escaped. */
import { escapeNonPrintable } from '../lib/foreign-text.ts';
import type { SeenUser } from '../observe/ports.ts';
import { span } from './certificate-table.ts';

const TITLES = ['IDENTITY', 'CREDENTIAL', 'LAST SEEN', 'ADDRESS', 'SCRAPES', 'BYTES', 'SERIES', 'REFUSALS'] as const;
const SIZES = [
  [1024 ** 3, 'GB'],
  [1024 ** 2, 'MB'],
  [1024, 'KB'],
] as const;

/** Lines with a header; `now` in milliseconds since the epoch. */
export function userTable(users: readonly SeenUser[], now: number): string[] {
  const rows = [TITLES, ...users.map((user) => cells(user, now))];
  const widths = TITLES.map((_title, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function cells(user: SeenUser, now: number): string[] {
  const { identity, lastSeenMs, address, scrapes, bytes, series, refusals, lastRefusal } = user;
  const seen = lastSeenMs === null ? 'never' : `${span(Math.max(0, now - lastSeenMs))} ago`;
  const counts =
    lastSeenMs === null
      ? ['-', '-', '-', '-']
      : [
          String(scrapes),
          size(bytes),
          series === null ? '-' : String(series),
          lastRefusal === null ? String(refusals) : `${String(refusals)}, last ${lastRefusal}`,
        ];
  return [identity, credentialOf(user), seen, address ?? '-', ...counts].map(escapeNonPrintable);
}

function credentialOf({ user, certificate }: SeenUser): string {
  const parts = user === null ? [] : [`password ${user}`];
  if (certificate !== null) {
    const { serial, name } = certificate;
    parts.push(serial === null ? 'certificate' : `certificate ${name ?? ''} (${serial})`);
  }
  return parts.length === 0 ? 'none' : parts.join(' + ');
}

/** In the units of the configuration: 1024 and its powers. */
function size(bytes: number): string {
  for (const [unit, name] of SIZES) if (bytes >= unit) return `${(bytes / unit).toFixed(1)}${name}`;
  return `${String(bytes)}B`;
}
