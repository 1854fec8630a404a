/** What the metrics say of the configuration: ends of certificates, CAs and revocation lists, and its hash. */
import { X509Certificate } from 'node:crypto';
import type { Gauge } from 'prom-client';
import type { Config } from '../config/config.ts';

export interface ConfigInstruments {
  readonly certificateNotAfter: Gauge;
  readonly certificateNotBefore: Gauge;
  readonly clientCaNotAfter: Gauge;
  readonly crlNextUpdate: Gauge;
  readonly configInfo: Gauge;
}

/** Two of one name (an old and a new CRL of one issuer, two inline pairs): the one that ends first is the one to know. */
function earliest<T>(items: readonly T[], nameOf: (item: T) => string, endOf: (item: T) => number): Map<string, T> {
  const first = new Map<string, T>();
  for (const item of items) {
    const name = nameOf(item);
    const other = first.get(name);
    if (other === undefined || endOf(item) < endOf(other)) first.set(name, item);
  }
  return first;
}

/** Sets every series anew; what the configuration no longer has is gone. Synchronous, so no scrape sees half of it. */
export function describeConfig(config: Config, instruments: ConfigInstruments): void {
  instruments.configInfo.reset();
  instruments.configInfo.set({ hash: config.hash }, 1);

  instruments.certificateNotAfter.reset();
  instruments.certificateNotBefore.reset();
  instruments.clientCaNotAfter.reset();
  instruments.crlNextUpdate.reset();
  if (config.tls === null) return;

  const pairs = earliest(
    config.tls.certificates,
    (pair) => pair.name,
    (pair) => pair.notAfter,
  );
  for (const [name, pair] of pairs) {
    instruments.certificateNotAfter.set({ name }, pair.notAfter / 1000);
    instruments.certificateNotBefore.set({ name }, pair.notBefore / 1000);
  }

  for (const pem of config.tls.trust.ca) {
    const certificate = new X509Certificate(pem);
    const subject = certificate.subject.replaceAll('\n', ', ');
    instruments.clientCaNotAfter.set(
      { subject, serial: certificate.serialNumber },
      Date.parse(certificate.validTo) / 1000,
    );
  }

  const crls = config.tls.trust.crls.filter((crl) => crl.nextUpdate !== null);
  const lists = earliest(
    crls,
    (crl) => crl.issuer,
    (crl) => crl.nextUpdate ?? 0,
  );
  for (const [issuer, crl] of lists) instruments.crlNextUpdate.set({ issuer }, (crl.nextUpdate ?? 0) / 1000);
}

/** Everything that an identity label may be under this configuration (see Identity.label). */
export function identityLabels(config: Config): ReadonlySet<string> {
  return new Set([
    'anonymous',
    'certificate',
    ...(config.identities ?? []).map((rule) => rule.name),
    ...config.users.keys(),
  ]);
}
