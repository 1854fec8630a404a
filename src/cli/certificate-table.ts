/** Certificate reports → lines for a person. Pure; foreign text is escaped. */
import { escapeNonPrintable } from '../lib/foreign-text.ts';
import type { CertificateReport } from '../observe/certificate-routes.ts';

const DAY_MS = 86_400_000;
const BAR = 10;
const TITLES = { certificate: 'certificate', client_ca: 'client CA', crl: 'revocation list' } as const;

/** `[######----] 61 days`: how much of a lifetime is left. */
export function lifetimeBar(notBefore: number, notAfter: number, now: number): string {
  const left = Math.max(0, notAfter - now);
  const share = notAfter <= notBefore ? 0 : Math.min(1, left / (notAfter - notBefore));
  // Something is left as long as it has not ended.
  const filled = left === 0 ? 0 : Math.max(1, Math.round(share * BAR));
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}]`;
}

/** A span with its largest unit: `61 days`, `5 h`, `40 s`. */
export function span(ms: number): string {
  const [size, unit] =
    ms >= 2 * DAY_MS
      ? [DAY_MS, 'days']
      : ms >= 7_200_000
        ? [3_600_000, 'h']
        : ms >= 120_000
          ? [60_000, 'min']
          : [1000, 's'];
  return `${String(Math.floor(ms / size))} ${unit}`;
}

/** One block of lines for each. */
export function certificateTable(reports: readonly CertificateReport[], now: number): string {
  return reports.map((report) => block(report, now).join('\n')).join('\n\n');
}

function block(report: CertificateReport, now: number): string[] {
  const { kind, name, names, issuer, notBefore, notAfter, source, issued, next, lastError } = report;
  const rows: [string, string][] = [];
  const others = names.filter((other) => other !== name);
  if (others.length > 0) rows.push(['names', names.join(', ')]);
  rows.push(['issuer', issuer], ['source', source], ['ends', ends(notBefore, notAfter, now)]);
  if (issued !== null) rows.push(['issued', `${date(issued.at)}: ${issued.why}`]);
  if (next !== null) rows.push(['next', `${moment(next.at, now)}: ${next.why}`]);
  if (lastError !== null) {
    rows.push(['last error', `${date(lastError.at)}, ${lastError.directory}: ${lastError.reason}`]);
  }
  const mark = { ok: 'ok', soon: 'SOON', ended: 'ENDED' }[report.state];
  return [
    `${mark.padEnd(5)} ${TITLES[kind]} ${escapeNonPrintable(name)}`,
    ...rows.map(([title, text]) => `      ${title.padEnd(10)} ${escapeNonPrintable(text)}`),
  ];
}

function ends(notBefore: number, notAfter: number | null, now: number): string {
  if (notAfter === null) return 'never';
  const left = notAfter <= now ? `ended ${span(now - notAfter)} ago` : `${span(notAfter - now)} left`;
  return `${lifetimeBar(notBefore, notAfter, now)} ${left} (${date(notAfter)})`;
}

function moment(at: number, now: number): string {
  return at <= now ? 'now' : `in ${span(at - now)} (${date(at)})`;
}

function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}
