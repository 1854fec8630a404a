/** The revocation list of a given client CA on a first run: copied, fetched from another gate, or both. */
import { isCrlSignedBy, parseCrls } from '../../formats/crl.ts';
import { parseCertificates } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { parseGate } from '../pki/gate-client.ts';
import { readIfThere } from './layout.ts';

export interface FleetListOptions {
  /** A file with the list. */
  readonly clientCrl?: string;
  /** The gate that has the CA: `https://HOST:PORT`. */
  readonly crlFrom?: string;
}

/** What the configuration says of the list of a given CA. */
export interface FleetList {
  /** PEM to be written; null: it is fetched, or there is none. */
  readonly text: string | null;
  readonly from: string | null;
}

/** @throws {PromgateError} USAGE when it is no list of this CA, or goes with none. */
export async function readFleetList(
  { clientCrl, crlFrom }: FleetListOptions,
  clientCa: string | null,
): Promise<FleetList> {
  if (clientCa === null) {
    if (clientCrl === undefined && crlFrom === undefined) return { text: null, from: null };
    throw new PromgateError('USAGE', '--client-crl and --crl-from go with --client-ca');
  }
  return {
    text: clientCrl === undefined ? null : await readList(clientCrl, clientCa),
    from: crlFrom === undefined ? null : parseGate(crlFrom).url,
  };
}

async function readList(file: string, clientCa: string): Promise<string> {
  const text = await readIfThere(file);
  if (text === null) throw new PromgateError('USAGE', `${file} does not exist`);
  const crls = parseCrls(text);
  if (!crls.ok) throw new PromgateError('USAGE', `${file}: ${crls.message}`);
  const certificates = parseCertificates(clientCa);
  const cas = certificates.ok ? certificates.value : [];
  const foreign = crls.value.find((crl) => !cas.some(({ publicKeySpki }) => isCrlSignedBy(crl, publicKeySpki)));
  if (foreign !== undefined) {
    throw new PromgateError('USAGE', `${file}: the list of ${JSON.stringify(foreign.issuer)} is not of --client-ca`);
  }
  return crls.value.map(({ pem }) => pem).join('');
}

/** The lines of the configuration: behind `client_ca_file`, and a section of its own. */
export function fleetListLines(
  { text, from }: FleetList,
  own: (file: string) => string,
): { readonly inTls: string; readonly section: string } {
  if (text === null && from === null) return { inTls: '', section: '' };
  const inTls = `
  # Whom it has revoked.
  client_crl_files: [${own('client-ca.crl')}]`;
  if (from === null) return { inTls, section: '' };
  const section = `
# From where the list comes, and by which CA that gate is verified.
crl:
  fetch:
    - url: ${from}
      file: ${own('client-ca.crl')}
      ca_file: ${own('client-ca.crt')}
`;
  return { inTls, section };
}
