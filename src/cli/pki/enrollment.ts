/**
 * `promgate pki enroll`: a certificate on the host of the client or server that uses it. The key is made here and never leaves; what goes
 * out is a certificate request: as a file to be signed by hand, or with a one-time token to the gate itself.
 */
import { X509Certificate } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { keyMatches, parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { spkiPin } from '../../formats/spki-pin.ts';
import { PromgateError } from '../../lib/errors.ts';
import { escapeNonPrintable, quoteForeign } from '../../lib/foreign-text.ts';
import { readIfThere } from '../../tls/authority/authority-directory.ts';
import type { KeyType } from '../../tls/authority/keys.ts';
import { createSigningRequest } from '../../tls/authority/new-request.ts';
import { kindOf } from '../../tls/authority/purpose.ts';
import { shellWord } from '../init/next-steps.ts';
import type { Terminal } from '../terminal.ts';
import { enrolledPaths, ownKey, printState, putFile } from './enrolled-files.ts';
import type { EnrolledPaths } from './enrolled-files.ts';
import { asRefusal } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { askGate, findPinnedCa, parseFingerprint, parseGate, refused } from './gate-client.ts';
import type { GateAddress, GateAnswer } from './gate-client.ts';
import { refuseExisting, writeNewFiles } from './issued-files.ts';

export interface EnrollOptions {
  /** Where the files go. */
  readonly directory: string;
  readonly name: string;
  readonly keyType: KeyType;
  /** null: the request is written to a file. */
  readonly gate: string | null;
  readonly caFingerprint: string | null;
  /** With what the gate is verified where it does not show that CA. */
  readonly caFile: string | null;
  readonly publicCa: boolean;
}

const TOKEN = /^[0-9a-f]{32}$/;

export async function enroll(options: EnrollOptions, terminal: Terminal, environment: PkiEnvironment): Promise<number> {
  const paths = enrolledPaths(options.directory, options.name);
  if (options.gate === null) return writeRequest(options, paths, terminal);
  const gate = parseGate(options.gate);
  if (options.caFingerprint === null) {
    throw new PromgateError('USAGE', '--gate needs --ca-fingerprint: without it anybody could pass for the gate', {
      hint: '`promgate pki token` on the host of the CA prints the whole command',
    });
  }
  const fingerprint = parseFingerprint(options.caFingerprint);
  await refuseEnrolled(paths);
  const token = (await environment.input.read('Token: ')).trim().toLowerCase();
  if (!TOKEN.test(token)) {
    throw new PromgateError('PASSWORD_REFUSED', 'that is no token: it has 32 hex digits; nothing was sent', {
      hint: 'it is read from the terminal or standard input, as `promgate pki token` has printed it',
    });
  }
  const ca = await trustFor(options, () => findPinnedCa(gate, fingerprint));
  const key = await ownKey(paths, options.keyType, terminal);
  const request = await asRefusal(() => createSigningRequest(key, requestName(options.name)));
  const answer = await askGate(gate, { ca, request, authorization: `Bearer ${token}` });
  if (answer.status !== 200) throw refusedToken(gate, answer);
  const { leaf, bundle, issuer } = readAnswer(gate, answer.body, key);
  if (issuer.fingerprint !== fingerprint) {
    throw refused(gate, 'answered with a certificate of another CA than that of --ca-fingerprint; it was not kept');
  }
  const caFile = options.publicCa ? null : resolve(options.caFile ?? paths.ca);
  await writeNewFiles(
    [
      { path: paths.cert, text: leaf.pem, mode: 0o644 },
      { path: paths.ca, text: bundle, mode: 0o644 },
      { path: paths.state, text: printState({ gate: gate.url, caFile }), mode: 0o644 },
    ],
    terminal,
  );
  tellCertificate(paths, caFile, leaf, terminal);
  return 0;
}

async function writeRequest(
  { name, keyType }: EnrollOptions,
  paths: EnrolledPaths,
  terminal: Terminal,
): Promise<number> {
  await refuseEnrolled(paths);
  const key = await ownKey(paths, keyType, terminal);
  const request = await asRefusal(() => createSigningRequest(key, requestName(name)));
  await putFile(paths.request, request, terminal);
  terminal.out(
    [
      `# on the host of the CA, with ${paths.request} brought there; ${paths.key} stays here:`,
      `promgate pki sign ${shellWord(basename(paths.request))} --name=${shellWord(name)}`,
      `# bring back what it writes as ${basename(paths.cert)}, and ca.crt for the ca_file of prometheus.yml:`,
      resolve(paths.cert),
    ].join('\n'),
  );
  return 0;
}

async function refuseEnrolled({ cert, ca, state }: EnrolledPaths): Promise<void> {
  try {
    await refuseExisting([cert, ca, state]);
  } catch (error) {
    if (!(error instanceof PromgateError)) throw error;
    throw new PromgateError(error.code, error.message, {
      hint: '`promgate pki enroll NAME --renew` renews a certificate; another name, or moving it away, makes room',
    });
  }
}

/** With what the gate is verified: PEM, or null for the CAs of the system. */
export async function trustFor(
  { caFile, publicCa }: Pick<EnrollOptions, 'caFile' | 'publicCa'>,
  otherwise: () => Promise<string>,
): Promise<string | null> {
  if (publicCa) return null;
  if (caFile === null) return otherwise();
  const text = await readIfThere(caFile);
  if (text === null) throw new PromgateError('FILE_UNSAFE', `${caFile} does not exist`);
  const certificates = parseCertificates(text);
  if (!certificates.ok) throw new PromgateError('FILE_UNSAFE', `${caFile}: ${certificates.message}`);
  return text;
}

/** Whoever signs does not look at it; a request must have a subject to be read by everybody. */
export function requestName(name: string): string {
  return name.slice(0, 64);
}

export interface ReceivedCertificate {
  readonly leaf: CertificateInfo;
  /** The CA that has signed it. */
  readonly issuer: CertificateInfo;
  /** Every CA of the answer, PEM. */
  readonly bundle: string;
}

/** @throws {PromgateError} ENROLLMENT_REFUSED when it is not a certificate for this key, of a CA beside it. */
export function readAnswer(gate: GateAddress, body: string, key: string): ReceivedCertificate {
  const certificates = parseCertificates(body);
  const [leaf, ...cas] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw refused(gate, 'answered with what is no certificate');
  if (!keyMatches(leaf.pem, key).ok) throw refused(gate, 'answered with a certificate for another key');
  const own = new X509Certificate(leaf.der);
  const issuer = cas.find((ca) => {
    const candidate = new X509Certificate(ca.der);
    return candidate.ca && own.checkIssued(candidate) && own.verify(candidate.publicKey);
  });
  if (issuer === undefined) throw refused(gate, 'answered with a certificate without its CA');
  if (leaf.isCa) throw refused(gate, 'answered with the certificate of a CA');
  return { leaf, issuer, bundle: cas.map(({ pem }) => pem).join('') };
}

function refusedToken(gate: GateAddress, { status, body }: GateAnswer): PromgateError {
  const hints: Readonly<Record<number, string>> = {
    401: 'the token is wrong, was used or is over: `promgate pki token` makes a new one',
    403: 'no token is pending there, or this address is not allowed',
    404: 'no token is pending there',
    429: 'this address is locked out for a while after wrong tokens or passwords: `promgate lockouts` there shows it',
    503: 'the log of the gate has the cause; the token may be used up',
  };
  const hint = hints[status];
  return refused(gate, saysNo(status, body), hint === undefined ? {} : { hint });
}

export function saysNo(status: number, body: string): string {
  const [line = ''] = body.split('\n');
  return `gave no certificate: ${String(status)} ${quoteForeign(line)}`;
}

function tellCertificate(paths: EnrolledPaths, caFile: string | null, leaf: CertificateInfo, terminal: Terminal): void {
  const { serial, notAfter, publicKeySpki } = leaf;
  const pair = [
    `  cert_file: ${JSON.stringify(resolve(paths.cert))}`,
    `  key_file: ${JSON.stringify(resolve(paths.key))}`,
  ];
  if (kindOf(leaf) === 'server') {
    terminal.out(
      [
        '# for promgate.yml, or the web.yml of an exporter; both read the files again by themselves when they change:',
        'tls_server_config:',
        ...pair,
        '# the key can be read by whoever ran this alone, which has to be the user of the server',
      ].join('\n'),
    );
  } else {
    terminal.out(
      [
        '# for the scrape job in prometheus.yml; it reads the files again by itself when they change:',
        'tls_config:',
        ...(caFile === null ? [] : [`  ca_file: ${JSON.stringify(caFile)}`]),
        ...pair,
        '# for identities in promgate.yml, to take no other key than this one:',
        `#   certificates: [{ spki: ${spkiPin(publicKeySpki)} }]`,
      ].join('\n'),
    );
  }
  const end = new Date(notAfter).toISOString().slice(0, 10);
  terminal.err(`promgate: ${holderOf(leaf)} in ${paths.cert}, serial ${serial}, is valid until ${end}`);
}

/** What the certificate says, which the token has decided: the files may be called otherwise. */
export function holderOf({ commonName, sans }: CertificateInfo): string {
  const types = { DNS: sans.dns, IP: sans.ip, email: sans.email, URI: sans.uri };
  const names = Object.entries(types).flatMap(([type, values]) => values.map((value) => `${type}:${value}`));
  const own = quoteForeign(commonName ?? '');
  return names.length === 0 ? own : `${own} (${escapeNonPrintable(names.join(', '))})`;
}
