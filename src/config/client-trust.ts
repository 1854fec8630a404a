/**
 * The group `client_ca`: the CAs that clients are verified against, and their revocation lists. Node takes a CA file
 * without a certificate in silence and then admits nobody: everything is parsed here first.
 */
import { isCrlSignedBy, parseCrls } from '../formats/crl.ts';
import type { Crl } from '../formats/crl.ts';
import { parseCertificates, subjectLength } from '../formats/x509.ts';
import type { CertificateInfo } from '../formats/x509.ts';
import type { DocumentPath } from '../lib/problem.ts';
import { validityProblems } from './validity.ts';
import type { FileText, OperatorFiles } from './files.ts';
import { unrefreshable } from './crl-refresh.ts';
import { findings, formatTime, groupResult, take } from './groups.ts';
import type { Findings, GroupResult } from './groups.ts';
import { opensslFault } from './openssl.ts';
import type { RawCrl } from './schema-crl.ts';
import type { RawTls } from './schema.ts';

export interface ClientTrustFiles {
  readonly ca: readonly CertificateInfo[];
  readonly crls: readonly Crl[];
  /** PEM of the `ca_file` of each entry of `crl.fetch`. */
  readonly fetchCas: readonly string[];
}

export interface TrustReading {
  readonly files: OperatorFiles;
  readonly now: number;
  /** The lists in force: one with a lower number than these is an old one, put back by mistake or on purpose. */
  readonly inForce: readonly Crl[];
}

export interface WrittenTrust {
  readonly tls: RawTls;
  readonly fetch: RawCrl['fetch'];
  /** Whether anybody is let in by the CA. */
  readonly verifiesClients: boolean;
}

/** Reads CA and CRL files. Without a CA the lists are empty; whether one is needed is decided in rules/. */
export async function readClientTrust(
  { tls, fetch, verifiesClients }: WrittenTrust,
  reading: TrustReading,
): Promise<GroupResult<ClientTrustFiles>> {
  const found = findings();
  const ca = await readCa(tls, reading, found);
  const crls: Crl[] = [];
  for (const [index, written] of tls.client_crl_files.entries()) {
    const path = ['tls_server_config', 'client_crl_files', index];
    const file = await reading.files.read(written, { path, source: 'client_ca' });
    if (!file.ok) {
      const isFetched = fetch.some((entry) => entry.file === written);
      const hint = 'it is fetched when the gate starts, before it serves';
      found.problems.push(isFetched && file.isMissing ? { ...file.problem, hint } : file.problem);
      continue;
    }
    for (const crl of take(parseCrls(file.text), found, path, file) ?? []) {
      crls.push(crl);
      judgeCrl(crl, { ca: ca ?? [], onExpiry: tls.crl_on_expiry, reading, found, path, file });
      const ended = await unrefreshable(crl, ca ?? [], file);
      if (ended !== null) found.problems.push({ severity: 'warning', ...ended, path });
    }
  }
  if (ca !== null && crls.length > 0) warnOfMissingCrls(ca, crls, found);
  if (verifiesClients && tls.client_crl_files.length === 0) warnOfNoList(ca ?? [], tls, found);
  if (verifiesClients) warnOfLongNames(ca ?? [], tls, found);
  const fault = opensslFault({ ca: (ca ?? []).map(({ pem }) => pem), crl: crls.map(({ pem }) => pem) });
  if (fault !== null) {
    const message = `OpenSSL refuses the client CA or its CRLs: ${fault}`;
    found.problems.push({ severity: 'error', message, path: ['tls_server_config'], at: 'key' });
  }
  return groupResult(found, { ca: ca ?? [], crls, fetchCas: await readFetchCas(fetch, reading, found) });
}

async function readFetchCas(
  fetch: RawCrl['fetch'],
  { files }: TrustReading,
  found: Findings,
): Promise<readonly string[]> {
  const all: string[] = [];
  for (const [index, { ca_file: written }] of fetch.entries()) {
    const path = ['crl', 'fetch', index, 'ca_file'];
    const file = await files.read(written, { path, source: 'client_ca' });
    if (!file.ok) found.problems.push(file.problem);
    const certificates = file.ok ? take(parseCertificates(file.text), found, path, file) : null;
    all.push((certificates ?? []).map(({ pem }) => pem).join(''));
  }
  return all;
}

async function readCa(tls: RawTls, { files, now }: TrustReading, found: Findings): Promise<CertificateInfo[] | null> {
  const written = tls.client_ca_file ?? '';
  const inline = tls.client_ca ?? '';
  const path: DocumentPath = ['tls_server_config', written === '' ? 'client_ca' : 'client_ca_file'];
  let text = inline;
  let file: FileText | null = null;
  if (written !== '') {
    if (inline !== '') {
      const message = 'client_ca has no effect beside client_ca_file';
      found.problems.push({ severity: 'warning', message, path: ['tls_server_config', 'client_ca'], at: 'key' });
    }
    const result = await files.read(written, { path, source: 'client_ca' });
    if (!result.ok) {
      found.problems.push(result.problem);
      return null;
    }
    file = result;
    text = result.text;
  }
  if (text === '') {
    if (written === '') return [];
    found.problems.push({
      severity: 'error',
      message: `${JSON.stringify(written)} is empty, expected PEM certificates`,
      path,
    });
    return null;
  }
  const ca = take(parseCertificates(text), found, path, file);
  for (const certificate of ca ?? []) {
    const what = `the CA certificate ${JSON.stringify(certificate.subject)}`;
    found.problems.push(...validityProblems(certificate, now, path, what));
    if (!certificate.isCa) {
      const hint = 'it is trusted for itself alone, no certificate that it signed is accepted';
      found.problems.push({
        severity: 'warning',
        message: `${what.replace('CA ', '')} is not that of a CA`,
        hint,
        path,
      });
    }
  }
  if (ca !== null) warnOfMissingRoot(ca, tls, path, found);
  return ca;
}

/** Node does not end a chain at an intermediate CA, even when it is listed. */
function warnOfMissingRoot(ca: readonly CertificateInfo[], tls: RawTls, path: DocumentPath, found: Findings): void {
  const { client_auth_type: type } = tls;
  if (type === 'RequestClientCert' || type === 'RequireAnyClientCert') return;
  if (ca.some(({ subjectKey, issuerKey }) => subjectKey === issuerKey)) return;
  const roots = [...new Set(ca.map(({ issuer }) => JSON.stringify(issuer)))].slice(0, 3).join(', ');
  found.problems.push({
    severity: 'warning',
    message: 'the client CA has no self-signed certificate: every client certificate will be refused',
    hint: `a chain must end at a root: add that of ${roots}`,
    path,
  });
}

interface CrlPlace {
  readonly ca: readonly CertificateInfo[];
  readonly onExpiry: RawTls['crl_on_expiry'];
  readonly reading: TrustReading;
  readonly found: Findings;
  readonly path: DocumentPath;
  readonly file: FileText;
}

function judgeCrl(crl: Crl, { ca, onExpiry, reading, found, path, file: { name } }: CrlPlace): void {
  const { now, inForce: lists } = reading;
  const what = `${JSON.stringify(name)}: the CRL of ${JSON.stringify(crl.issuer)}`;
  const issuers = ca.filter(({ subjectKey }) => subjectKey === crl.issuerKey);
  // OpenSSL verifies it in each handshake, but gets no list under `warn`.
  if (onExpiry === 'warn' && issuers.length > 0 && !issuers.some((one) => isCrlSignedBy(crl, one.publicKeySpki))) {
    const hint = 'it is damaged, of another CA of that name, or signed by an algorithm older than SHA-256';
    found.problems.push({ severity: 'error', message: `${what} has no valid signature`, hint, path });
  }
  if (ca.length > 0 && issuers.length === 0) {
    const hint = 'OpenSSL looks for a list by the name of the CA that issued it';
    found.problems.push({ severity: 'error', message: `${what} is from none of the client CAs`, hint, path });
  }
  if (crl.nextUpdate !== null && crl.nextUpdate < now) {
    const message = `${what} expired at ${formatTime(crl.nextUpdate)}`;
    const hint =
      onExpiry === 'deny'
        ? 'every client certificate of this CA is refused until there is a new list'
        : 'what was revoked since is not known: clients stay in until there is a new list';
    found.problems.push({ severity: 'warning', message, hint, path });
  }
  const inForce = highestNumber(lists, crl);
  if (inForce !== null && (crl.number === null || crl.number < inForce)) {
    const number = crl.number === null ? 'no number' : `number ${String(crl.number)}`;
    const message = `${what} has ${number}, older than number ${String(inForce)} in force`;
    found.problems.push({ severity: 'error', message, hint: 'to go back on purpose, restart the gate', path });
  }
}

/** Of the same issuer and key: the lists of a CA that was renewed under its old name are numbered anew. */
function highestNumber(crls: readonly Crl[], { issuerKey, authorityKey }: Crl): bigint | null {
  let highest: bigint | null = null;
  for (const crl of crls) {
    if (crl.issuerKey !== issuerKey || crl.authorityKey !== authorityKey || crl.number === null) continue;
    if (highest === null || crl.number > highest) highest = crl.number;
  }
  return highest;
}

/** RFC 8446 §4.2.4, RFC 5246 §7.4.4: a length of two bytes, within which TLS 1.3 has the other extensions too. */
const MOST_NAME_BYTES = 65_535 - 256;

/** The names of all CAs are sent in each handshake, and beyond 64 KiB each one fails. */
function warnOfLongNames(ca: readonly CertificateInfo[], tls: RawTls, found: Findings): void {
  const bytes = ca.reduce((sum, one) => sum + 2 + subjectLength(one), 0);
  if (bytes <= MOST_NAME_BYTES) return;
  const key = (tls.client_ca_file ?? '') === '' ? 'client_ca' : 'client_ca_file';
  const message =
    `the names of ${String(ca.length)} client CAs are ${String(bytes)} bytes: a handshake takes ` +
    `${String(MOST_NAME_BYTES)}, and all would fail`;
  const hint = 'name only the CAs whose clients come here, not a bundle of public ones';
  found.problems.push({ severity: 'error', message, hint, path: ['tls_server_config', key] });
}

/** Without a list whoever has taken a key stays in until the certificate ends. */
function warnOfNoList(ca: readonly CertificateInfo[], tls: RawTls, found: Findings): void {
  if (!ca.some(({ isCa }) => isCa)) return;
  const key = (tls.client_ca_file ?? '') === '' ? 'client_ca' : 'client_ca_file';
  const hint =
    'set client_crl_files to the list of this CA: `promgate pki crl` writes that of an own one, ca.crl; ' +
    'crl.fetch gets it from the gate that has the CA';
  const message = 'the client CA has no revocation list: no client can be revoked';
  found.problems.push({ severity: 'warning', message, hint, path: ['tls_server_config', key], at: 'key' });
}

/** With one list OpenSSL wants one of every CA in the chain, and refuses the clients of the others. */
function warnOfMissingCrls(ca: readonly CertificateInfo[], crls: readonly Crl[], found: Findings): void {
  for (const { isCa, subject, subjectKey } of ca) {
    if (!isCa || crls.some(({ issuerKey }) => issuerKey === subjectKey)) continue;
    found.problems.push({
      severity: 'warning',
      message: `there is no CRL of ${JSON.stringify(subject)}: its client certificates will all be refused`,
      hint: 'with client_crl_files every CA needs a list, an empty one will do',
      path: ['tls_server_config', 'client_crl_files'],
    });
  }
}
