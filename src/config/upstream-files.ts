/** The files of the upstreams: CA, client certificate, tokens and passwords. They belong to the group `config`. */
import { keyMatches, parseCertificates } from '../formats/x509.ts';
import type { DocumentPath, Parsed } from '../lib/problem.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import { validityProblems } from './validity.ts';
import type { UpstreamAuthorization, UpstreamTls } from './config.ts';
import { modeProblem } from './file-mode.ts';
import type { FileText, OperatorFiles } from './files.ts';
import { findings, groupResult, take } from './groups.ts';
import type { Findings, GroupResult } from './groups.ts';
import type { RawUpstream } from './schema.ts';

export interface UpstreamFiles {
  readonly authorization: UpstreamAuthorization;
  readonly tls: UpstreamTls;
}

interface Reading {
  readonly files: OperatorFiles;
  readonly now: number;
  readonly found: Findings;
}

/** Reads what each upstream names, in their order. */
export async function readUpstreamFiles(
  upstreams: readonly RawUpstream[],
  files: OperatorFiles,
  now: number,
): Promise<GroupResult<readonly UpstreamFiles[]>> {
  const found = findings();
  const reading = { files, now, found };
  const all: UpstreamFiles[] = [];
  for (const [index, upstream] of upstreams.entries()) {
    const at = ['upstreams', index];
    const authorization = await readAuthorization(upstream, reading, at);
    all.push({ authorization, tls: await readTls(upstream, reading, [...at, 'tls_config']) });
  }
  return groupResult(found, all);
}

async function readFile(written: string, path: DocumentPath, { files, found }: Reading): Promise<FileText | null> {
  const file = await files.read(written, { path, source: 'config' });
  if (file.ok) return file;
  found.problems.push(file.problem);
  return null;
}

/** One line of visible ASCII: anything else cannot be a header value and would be repeated by the client's error. */
function readSecret(text: string): Parsed<string> {
  const line = text.replace(/\r?\n$/, '');
  if (line === '') return unparsed('the file is empty, expected a secret');
  return /^[\x21-\x7e]+$/.test(line) ? parsed(line) : unparsed('expected one line of printable ASCII without spaces');
}

function readPassword(text: string): Parsed<string> {
  const line = text.replace(/\r?\n$/, '');
  if (line === '') return unparsed('the file is empty, expected a password');
  // eslint-disable-next-line no-control-regex -- RFC 7617 forbids exactly these
  return /[\x00-\x1f\x7f]/.test(line) ? unparsed('expected one line without control characters') : parsed(line);
}

async function readAuthorization(
  { authorization, basic_auth: basic }: RawUpstream,
  reading: Reading,
  at: DocumentPath,
): Promise<UpstreamAuthorization> {
  if (authorization !== undefined) {
    const path = [...at, 'authorization', 'credentials_file'];
    const token = await readSecretFile(authorization.credentials_file, path, readSecret, reading);
    if (token !== null) return { kind: 'header', value: `${authorization.type} ${token}` };
  } else if (basic !== undefined) {
    const path = [...at, 'basic_auth', 'password_file'];
    const password = await readSecretFile(basic.password_file, path, readPassword, reading);
    const pair = Buffer.from(`${basic.username}:${password ?? ''}`, 'utf8').toString('base64');
    if (password !== null) return { kind: 'header', value: `Basic ${pair}` };
  }
  return { kind: 'none' };
}

async function readSecretFile(
  written: string,
  path: DocumentPath,
  parse: (text: string) => Parsed<string>,
  reading: Reading,
): Promise<string | null> {
  const file = await readFile(written, path, reading);
  if (file === null) return null;
  const open = modeProblem(file, path, 'owner');
  if (open !== null) reading.found.problems.push(open);
  return take(parse(file.text), reading.found, path, file);
}

async function readTls({ tls_config: tls }: RawUpstream, reading: Reading, at: DocumentPath): Promise<UpstreamTls> {
  const { found } = reading;
  let ca: readonly string[] | null = null;
  if (tls?.ca_file !== undefined) {
    const path = [...at, 'ca_file'];
    const file = await readFile(tls.ca_file, path, reading);
    // Never null here: a CA that cannot be read must not turn into the system's roots.
    ca = (file === null ? null : take(parseCertificates(file.text), found, path, file))?.map(({ pem }) => pem) ?? [];
  }
  const clientCertificate =
    tls?.cert_file !== undefined && tls.key_file !== undefined
      ? await readClientCertificate(tls.cert_file, tls.key_file, reading, at)
      : null;
  return { ca, clientCertificate, serverName: tls?.server_name ?? null };
}

async function readClientCertificate(
  certFile: string,
  keyFile: string,
  reading: Reading,
  at: DocumentPath,
): Promise<UpstreamTls['clientCertificate']> {
  const { found, now } = reading;
  const certPath = [...at, 'cert_file'];
  const keyPath = [...at, 'key_file'];
  const cert = await readFile(certFile, certPath, reading);
  const key = await readFile(keyFile, keyPath, reading);
  if (cert === null || key === null) return null;
  const open = modeProblem(key, keyPath, 'owner');
  if (open !== null) found.problems.push(open);
  const chain = take(parseCertificates(cert.text), found, certPath, cert);
  const leaf = chain?.[0];
  if (leaf === undefined) return null;
  if (take(keyMatches(cert.text, key.text), found, keyPath, key) === null) {
    found.settling = true;
    return null;
  }
  found.problems.push(...validityProblems(leaf, now, certPath, 'the client certificate'));
  return { cert: (chain ?? []).map(({ pem }) => pem).join(''), key: key.text };
}
