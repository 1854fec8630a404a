/** What several readers conclude from a configuration, concluded once: from what was written, or from what runs. Pure. */
import type { Config } from './config.ts';
import type { Raw, RawTls } from './schema.ts';

/** Whether a tls_server_config switches TLS on: as in the toolkit, one that only sets versions does not. */
export function isTlsOn(tls: RawTls | undefined): tls is RawTls {
  if (tls === undefined) return false;
  const { cert, key, client_ca, cert_file, key_file, client_ca_file } = tls;
  if ([cert, key, client_ca, cert_file, key_file, client_ca_file].some((value) => (value ?? '') !== '')) return true;
  return (
    tls.client_auth_type !== undefined || tls.additional_certificates.length > 0 || tls.client_crl_files.length > 0
  );
}

/** Whether the gate serves TLS: with certificates from files, or with those of a CA that it asks. */
export function servesTls(raw: Pick<Raw, 'acme' | 'tls_server_config'>): boolean {
  return isTlsOn(raw.tls_server_config) || raw.acme !== undefined;
}

/** The names under which the gate can be reached over TLS, those of the default certificate first; none without TLS. */
export function servedNames({ acme, tls }: Pick<Config, 'acme' | 'tls'>): readonly string[] {
  const names = acme === null ? tls?.certificates.flatMap((pair) => pair.names) : namesOfAcme(acme);
  return [...new Set(names)];
}

function namesOfAcme({ certificates }: NonNullable<Config['acme']>): string[] {
  return certificates.flatMap(({ names }) => names);
}
