/** What `run` says once at a start, so that nobody is surprised later: certificates, addresses, the upstream. */
import { parseCertificates } from '../formats/x509.ts';
import { wasIssuedHere } from '../tls/authority/certificate-authority.ts';
import { hostAddresses, unnamedAddresses } from './host-addresses.ts';
import type { Interfaces } from './host-addresses.ts';
import { DEFAULT_PROMETHEUS } from './prometheus-probe.ts';
import type { PrometheusProbe } from './prometheus-probe.ts';
import type { Config, ListenAddress } from '../config/config.ts';

const DAY_MS = 86_400_000;
/** `promgate init` renews from then on. */
export const RENEW_WITHIN_MS = 30 * DAY_MS;

/** One line per certificate that has ended or ends within 30 days: those that are served, and the CA of the clients. */
export function certificateWarnings(config: Config, now: number): string[] {
  if (config.tls === null) return [];
  // What comes by ACME is renewed without a word, and has a log line, a metric and `cert status` when that fails.
  const files = config.acme === null ? config.tls.certificates : [];
  const served = files.map((pair) => ({
    subject: `the certificate ${pair.name}`,
    notAfter: pair.notAfter,
    remedy: wasIssuedHere(pair.issuer) ? '`promgate init` renews it' : 'renew it where it came from',
  }));
  const authorities = config.tls.trust.ca.flatMap((pem) => {
    const certificates = parseCertificates(pem);
    return certificates.ok ? certificates.value : [];
  });
  const trusted = authorities.map(({ subject, notAfter }) => ({
    subject: `the client CA ${subject}`,
    notAfter,
    remedy: 'give the clients certificates of a new CA, and trust both meanwhile',
  }));
  return [...served, ...trusted]
    .filter(({ notAfter }) => notAfter - now <= RENEW_WITHIN_MS)
    .map(({ subject, notAfter, remedy }) => `${subject} ${untilEnd(notAfter, now)}: ${remedy}`);
}

/** `ends in 12 days (2026-12-03)`, or `ended on 2026-11-01`. */
export function untilEnd(notAfter: number, now: number): string {
  const date = new Date(notAfter).toISOString().slice(0, 10);
  if (notAfter <= now) return `ended on ${date}`;
  const days = Math.floor((notAfter - now) / DAY_MS);
  return `ends in ${String(days)} ${days === 1 ? 'day' : 'days'} (${date})`;
}

/**
 * A line when the host has addresses that the certificate of the own CA does not name. A gate that listens on chosen
 * addresses only does not follow the host, and neither does the warning.
 * @param interfaces what `os.networkInterfaces()` returns.
 */
export function addressWarnings(config: Config, interfaces: Interfaces): string[] {
  const pair = config.tls?.certificates[0];
  if (pair === undefined || !wasIssuedHere(pair.issuer) || !config.listen.some(isEveryAddress)) return [];
  const unnamed = unnamedAddresses(pair.names, hostAddresses(interfaces));
  if (unnamed.length === 0) return [];
  return [
    `the certificate ${pair.name} does not name ${unnamed.join(', ')}: clients that use such an address refuse it; ` +
      '`promgate init --renew` issues it anew',
  ];
}

function isEveryAddress(address: ListenAddress): boolean {
  return address.kind === 'tcp' && (address.host === null || address.host === '0.0.0.0' || address.host === '::');
}

/** The hint while the gate serves only itself and a Prometheus would be there. */
export async function selfUpstreamHint(config: Config, probe: PrometheusProbe): Promise<string | null> {
  if (!config.upstreams.every(({ address }) => address.kind === 'self')) return null;
  if (!(await probe(DEFAULT_PROMETHEUS))) return null;
  return (
    `a Prometheus answers at ${DEFAULT_PROMETHEUS}, but the only upstream is self: ` +
    `to guard it, set \`url: ${DEFAULT_PROMETHEUS}\` and \`kind: prometheus\` under upstreams in ${config.file}`
  );
}
