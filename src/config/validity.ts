/** Whether a certificate is valid now, and for how long: in words for an operator. */
import type { CertificateInfo } from '../formats/x509.ts';
import type { DocumentPath, Problem } from '../lib/problem.ts';
import { formatTime } from './groups.ts';

const DAY_MS = 86_400_000;
const NEAR_END_MS = 30 * DAY_MS;

/**
 * Warnings for a certificate that is not valid now, or not for long: in its last 30 days, or its last third when it is a
 * short one. They do not keep the gate from starting.
 */
export function validityProblems(
  { notBefore, notAfter }: Pick<CertificateInfo, 'notBefore' | 'notAfter'>,
  now: number,
  path: DocumentPath,
  what: string,
): Problem[] {
  if (now > notAfter) return [{ severity: 'warning', message: `${what} expired at ${formatTime(notAfter)}`, path }];
  if (now < notBefore) {
    const hint = 'is the clock of this machine right?';
    return [{ severity: 'warning', message: `${what} is not valid before ${formatTime(notBefore)}`, hint, path }];
  }
  if (notAfter - now <= Math.min(NEAR_END_MS, (notAfter - notBefore) / 3)) {
    const days = Math.floor((notAfter - now) / DAY_MS);
    const left = days === 0 ? 'in less than a day' : `in ${String(days)} ${days === 1 ? 'day' : 'days'}`;
    const hint = 'renew it where it came from; `promgate init` renews what it has issued';
    return [{ severity: 'warning', message: `${what} ends ${left}, at ${formatTime(notAfter)}`, hint, path }];
  }
  return [];
}
