/** The group `certificate`: the gate's own certificates and private keys. No message holds anything of a key. */
import { keyMatches, parseCertificates } from '../formats/x509.ts';
import type { DocumentPath, Problem } from '../lib/problem.ts';
import type { KeyPair } from './config.ts';
import { unrenewable } from './crl-refresh.ts';
import { modeProblem } from './file-mode.ts';
import type { FileText, OperatorFiles } from './files.ts';
import { findings, groupResult, take } from './groups.ts';
import type { Findings, GroupResult } from './groups.ts';
import { opensslFault } from './openssl.ts';
import { servedProblems } from './served-certificate.ts';
import type { RawTls } from './schema.ts';

export interface PairSource {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly at: DocumentPath;
}

/** Reads every pair of certificate and key, the default one first. */
export async function readCertificates(
  tls: RawTls,
  files: OperatorFiles,
  now: number,
): Promise<GroupResult<readonly KeyPair[]>> {
  const found = findings();
  return groupResult(found, await readPairs(tls, files, now, found));
}

/**
 * The pairs that stand beside `acme`, to be served until the CA has issued: their time is soon over, so that a file that
 * is gone or broken is a warning, and keeps no gate from starting.
 */
export async function readStandIns(
  tls: RawTls,
  files: OperatorFiles,
  now: number,
): Promise<GroupResult<readonly KeyPair[]>> {
  const written = [tls.cert, tls.key, tls.cert_file, tls.key_file].some((value) => blank(value) !== undefined);
  if (!written && tls.additional_certificates.length === 0) return { ok: true, value: [], problems: [] };
  const found = findings();
  const pairs = await readPairs(tls, files, now, found);
  const hint = 'beside acme a certificate file is served until the CA has issued one; then it can be removed';
  const problems = found.problems.map((problem): Problem => {
    const { servesNobody, ...rest } = problem;
    return problem.severity === 'error' || servesNobody === true ? { ...rest, severity: 'warning', hint } : problem;
  });
  return { ok: true, value: pairs, problems };
}

async function readPairs(tls: RawTls, files: OperatorFiles, now: number, found: Findings): Promise<KeyPair[]> {
  const at = ['tls_server_config'];
  const { cert, key, cert_file: certFile, key_file: keyFile } = tls;
  const sources: PairSource[] = [
    { certFile: blank(certFile), keyFile: blank(keyFile), cert: blank(cert), key: blank(key), at },
  ];
  for (const [index, pair] of tls.additional_certificates.entries()) {
    sources.push({
      certFile: pair.cert_file,
      keyFile: pair.key_file,
      cert: undefined,
      key: undefined,
      at: ['tls_server_config', 'additional_certificates', index],
    });
  }
  const pairs: KeyPair[] = [];
  for (const source of sources) {
    const pair = await readPair(source, files, now, found);
    if (pair !== null) pairs.push(pair);
  }
  return pairs;
}

function blank(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

interface Part {
  readonly text: string;
  readonly file: FileText | null;
  readonly path: DocumentPath;
}

/** A file wins over the inline text, as in the toolkit. */
async function readPart(
  { at, ...source }: PairSource,
  kind: 'cert' | 'key',
  files: OperatorFiles,
  found: Findings,
): Promise<Part | null> {
  const written = kind === 'cert' ? source.certFile : source.keyFile;
  const inline = source[kind];
  if (written !== undefined) {
    const path = [...at, `${kind}_file`];
    if (inline !== undefined) {
      const message = `${kind} has no effect beside ${kind}_file`;
      found.problems.push({ severity: 'warning', message, path: [...at, kind], at: 'key' });
    }
    const file = await files.read(written, { path, source: 'certificate' });
    if (file.ok) return { text: file.text, file, path };
    found.problems.push(file.problem);
    return null;
  }
  if (inline !== undefined) return { text: inline, file: null, path: [...at, kind] };
  const message = `missing one of ${kind} or ${kind}_file`;
  found.problems.push({ severity: 'error', message, path: [...at, `${kind}_file`], at: 'map' });
  return null;
}

const IS_KEY = /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----/;
const IS_CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/;

/** Two mistakes that are plain from both parts together: the name of a file for its text, and the files swapped. */
function slipOf(cert: Part, key: Part): Problem | null {
  for (const part of [cert, key]) {
    const name = String(part.path.at(-1));
    if (part.file !== null || part.text.includes('-----BEGIN')) continue;
    const message = `${name} is the PEM text itself, and this is none`;
    return { severity: 'error', message, hint: `the name of a file is written under ${name}_file`, path: part.path };
  }
  const isSwapped = IS_KEY.test(cert.text) && !IS_CERTIFICATE.test(cert.text) && IS_CERTIFICATE.test(key.text);
  if (!isSwapped || IS_KEY.test(key.text)) return null;
  const names = [cert, key].map(({ path }) => String(path.at(-1))).join(' and ');
  return {
    severity: 'error',
    message: 'this is the private key, not the certificate',
    hint: `swap ${names}`,
    path: cert.path,
  };
}

async function readPair(
  source: PairSource,
  files: OperatorFiles,
  now: number,
  found: Findings,
): Promise<KeyPair | null> {
  const cert = await readPart(source, 'cert', files, found);
  const key = await readPart(source, 'key', files, found);
  if (cert === null || key === null) return null;
  const open = key.file === null ? null : modeProblem(key.file, key.path, 'owner');
  if (open !== null) found.problems.push(open);
  const slip = slipOf(cert, key);
  if (slip !== null) {
    found.problems.push(slip);
    return null;
  }
  const chain = take(parseCertificates(cert.text), found, cert.path, cert.file);
  const match = chain === null ? null : take(keyMatches(cert.text, key.text), found, key.path, key.file);
  const leaf = chain?.[0];
  if (leaf === undefined || match === null) {
    found.settling = true;
    return null;
  }
  const fault = opensslFault({ cert: cert.text, key: key.text });
  if (fault !== null) {
    found.problems.push({ severity: 'error', message: `OpenSSL refuses the certificate: ${fault}`, path: cert.path });
    return null;
  }
  found.problems.push(...servedProblems(chain ?? [], now, cert.path));
  const ends = cert.file === null ? null : await unrenewable(leaf, cert.file.name);
  if (ends !== null) found.problems.push({ severity: 'warning', ...ends, path: cert.path });
  return {
    cert: (chain ?? []).map(({ pem }) => pem).join(''),
    key: key.text,
    name: cert.file?.name ?? 'inline',
    names: [...leaf.sans.dns, ...leaf.sans.ip].map((name) => name.toLowerCase()),
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    serial: leaf.serial,
    issuer: leaf.issuer,
    keyType: match.keyType,
  };
}
