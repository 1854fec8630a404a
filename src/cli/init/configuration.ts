/** The promgate.yml of a first run, and the little that `init` has to know of one that is there. Pure. */
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { parseListenAddress } from '../../formats/listen-address.ts';
import { fleetListLines } from './fleet-list.ts';
import type { FleetList } from './fleet-list.ts';

/** Which files a configuration refers to, by absolute names: what `init` decides whether to make. */
export interface ConfigurationFacts {
  readonly serverCert: string | null;
  readonly serverKey: string | null;
  readonly clientCa: string | null;
  readonly clientCrls: readonly string[];
  readonly htpasswd: string | null;
  /** The first TCP address; null when there is none. */
  readonly listen: { readonly host: string | null; readonly port: number } | null;
}

/** Where a Prometheus was looked for, `http://HOST:PORT`. */
export interface FoundPrometheus {
  readonly url: string;
  readonly answers: boolean;
}

/** A Prometheus listens on every address unless it is told otherwise. */
function wayAround(url: string): string {
  const { host, hostname } = new URL(url);
  if (!/^(?:127\.[\d.]+|localhost|\[::1\])$/.test(hostname)) return 'Let the gate alone reach it: a firewall there.';
  return `Bind it to loopback, so that nobody gets around the
  # gate: prometheus --web.listen-address=${host}`;
}

/**
 * @param certs the directory of the certificates, as the file names it.
 * @param clientCa whose certificates identify a client; without a list where none is there and none can be made; or the
 *   list of a given CA.
 */
export function firstConfiguration(
  prometheus: FoundPrometheus,
  clientCa: 'own' | 'own-without-list' | FleetList = 'own',
  certs = 'certs',
): string {
  const own = (file: string): string => JSON.stringify(`${certs}/${file}`).replace(/^"([\w./-]+)"$/, '$1');
  const list = `
  # Whom it has revoked: \`promgate pki revoke\` shuts out at once. The gate renews this list as it renews cert_file.
  client_crl_files: [${own('ca.crl')}]`;
  const given = typeof clientCa === 'string' ? null : fleetListLines(clientCa, own);
  const { url, answers } = prometheus;
  const upstreams = answers
    ? `  # The Prometheus that answered when this file was written. ${wayAround(url)}
  - url: ${url}
    kind: prometheus
  # The gate's own metrics, below /promgate/metrics.
  - url: self
    kind: exporter
    path_prefix: /promgate
`
    : `  # No Prometheus answered at ${url} when this file was written, so the gate serves its own metrics
  # on /metrics. To guard a Prometheus instead: {url: ${url}, kind: prometheus}
  - url: self
    kind: exporter
`;
  return `# promgate.yml, written by \`promgate init\`. docs/configuration.md has every key with its default.
# \`promgate check promgate.yml\` tells what is wrong with it; a running gate takes a change over by itself.

# Every address of this host, IPv6 and IPv4.
listen_addresses: [":9095"]

tls_server_config:
  # What the gate shows. It renews the file by itself, with a third of its life left, where it may write ${certs} and
  # finds ca.key there; \`promgate check\` and the log say so where it cannot.
  cert_file: ${own('server.crt')}
  key_file: ${own('server.key')}
  # Whose certificates identify a client.
  client_ca_file: ${own(given === null ? 'ca.crt' : 'client-ca.crt')}${clientCa === 'own' ? list : (given?.inTls ?? '')}
${given?.section ?? ''}
# Users and hashed passwords; \`promgate passwd .htpasswd add USER\` changes them.
htpasswd_file: .htpasswd

# What a request must prove: a client certificate or a password. Whatever is offered must be valid.
# The others are password, certificate, both and none.
authenticate: either

# Who may open a connection at all; everyone without it. Addresses, CIDRs and host names.
# allow: [203.0.113.7, master.example.com]

# What is guarded. \`kind\` decides which paths and methods exist.
upstreams:
${upstreams}`;
}

/**
 * Reads what `init` needs, leniently: the loader of \`check\` and \`run\` judges the file.
 * @returns null when the text is no YAML map.
 */
export function readFacts(text: string, directory: string): ConfigurationFacts | null {
  const root = asMap(parseYaml(text));
  if (root === null) return null;
  const tls = asMap(root['tls_server_config']);
  const file = (value: unknown): string | null => (typeof value === 'string' ? resolve(directory, value) : null);
  return {
    serverCert: file(tls?.['cert_file']),
    serverKey: file(tls?.['key_file']),
    clientCa: file(tls?.['client_ca_file']),
    clientCrls: asList(tls?.['client_crl_files']).flatMap((value) => file(value) ?? []),
    htpasswd: file(root['htpasswd_file']),
    listen: firstAddress(root['listen_addresses'] ?? [':9095']),
  };
}

/** What a configuration says of certificates over the gate, read as leniently. */
export interface EnrollmentFacts {
  /** The directory of the CA; null: nobody enrolls there. */
  readonly directory: string | null;
  /** Whether a server may have its certificate renewed there. */
  readonly renewsServers: boolean;
  /** Whether the gate shows the certificate of a CA that it asks by ACME. */
  readonly hasAcme: boolean;
}

/** @returns null when the text is no YAML map. */
export function readEnrollment(text: string, directory: string): EnrollmentFacts | null {
  const root = asMap(parseYaml(text));
  if (root === null) return null;
  const enrollment = asMap(root['enrollment']);
  const authority = enrollment?.['authority'] ?? 'certs';
  const isOn = enrollment !== null && typeof authority === 'string';
  return {
    directory: isOn ? resolve(directory, authority) : null,
    renewsServers: enrollment?.['renew_servers'] === true,
    hasAcme: asMap(root['acme']) !== null,
  };
}

/** The keys that identities name, as they are written. */
export function readSpkiPins(text: string): readonly { readonly identity: string; readonly pin: string }[] {
  return asList(asMap(parseYaml(text))?.['identities']).flatMap((value) => {
    const { name, certificates } = asMap(value) ?? {};
    return asList(certificates).flatMap((one) => {
      const pin = asMap(one)?.['spki'];
      return typeof name === 'string' && typeof pin === 'string' ? [{ identity: name, pin }] : [];
    });
  });
}

function firstAddress(value: unknown): ConfigurationFacts['listen'] {
  for (const text of asList(value)) {
    const address = typeof text === 'string' ? parseListenAddress(text) : null;
    if (address?.ok === true && address.value.kind === 'tcp') {
      const { host, port } = address.value;
      return { host: host === '0.0.0.0' || host === '::' ? null : host, port };
    }
  }
  return null;
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { logLevel: 'error' });
  } catch {
    return null;
  }
}

function asMap(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
