/**
 * `promgate pki enroll NAME --renew`: the same certificate for another time, with the key that is there. A client's
 * certificate is itself the credential; a server's, which no handshake takes, is proved by its key. One file changes, as a whole, so that no moment has a pair that does not match.
 */
import { resolve } from 'node:path';
import { printProof, signProof } from '../../formats/key-proof.ts';
import { keyMatches, parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { replaceFile } from '../../lib/private-file.ts';
import { readIfThere } from '../../tls/authority/authority-directory.ts';
import { issuerAmong } from '../../tls/authority/issuer.ts';
import { createSigningRequest } from '../../tls/authority/new-request.ts';
import { kindOf } from '../../tls/authority/purpose.ts';
import type { Terminal } from '../terminal.ts';
import { enrolledPaths, printState, putFile, readState } from './enrolled-files.ts';
import type { EnrolledPaths } from './enrolled-files.ts';
import { asRefusal } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { readAnswer, requestName, saysNo, trustFor } from './enrollment.ts';
import { askGate, parseGate, refused } from './gate-client.ts';
import type { GateAddress, GateAnswer, GateCall } from './gate-client.ts';

/** Well within what a gate takes for a difference of clocks. */
const MOST_SECONDS_OFF = 240;

export interface EnrollRenewalOptions {
  readonly directory: string;
  readonly name: string;
  /** null: the gate of the enrollment. */
  readonly gate: string | null;
  readonly caFile: string | null;
  readonly publicCa: boolean;
  /** Also before it is due. */
  readonly force: boolean;
}

export async function renewEnrolled(
  options: EnrollRenewalOptions,
  terminal: Terminal,
  { clock }: PkiEnvironment,
): Promise<number> {
  const { name } = options;
  const paths = enrolledPaths(options.directory, name);
  const held = await readHeld(paths);
  const { leaf: old, key } = held;
  const kind = kindOf(old);
  const now = clock.now();
  if (old.notAfter <= now) {
    throw new PromgateError('ENROLLMENT_REFUSED', `${paths.cert} has ended: it proves nothing any more`, {
      hint: 'move it away, and enroll again with a new token',
    });
  }
  // A third of the life is left to mend what fails.
  const due = old.notAfter - (old.notAfter - old.notBefore) / 3;
  if (now < due && !options.force) {
    terminal.out(`${quoteForeign(name)} is valid until ${day(old.notAfter)}; it is renewed from ${day(due)} on`);
    return 0;
  }
  const state = await readState(paths);
  const where = options.gate ?? state?.gate;
  if (where === undefined) {
    throw new PromgateError('USAGE', `nothing tells from which gate ${paths.cert} is`, {
      hint: 'add --gate=https://HOST:PORT, and --ca-file=FILE or --public-ca; it is kept for the next time',
    });
  }
  const gate = parseGate(where);
  const publicCa = options.publicCa || (options.caFile === null && state?.caFile === null);
  const caFile = publicCa ? null : resolve(options.caFile ?? state?.caFile ?? paths.ca);
  const ca = await trustFor({ caFile, publicCa }, () => Promise.resolve(''));
  const request = await asRefusal(() => createSigningRequest(key, requestName(name)));
  const credential = kind === 'client' ? { request, client: held } : await proved(paths, held, { request, ca, now });
  const answer = await askGate(gate, { ca, caFile, isRenewal: true, ...credential });
  if (answer.status !== 200) throw kind === 'client' ? refusedRenewal(gate, answer) : refusedProof(gate, answer, now);
  const { leaf, bundle } = readAnswer(gate, answer.body, key);
  if (kindOf(leaf) !== kind) throw refused(gate, `answered with what is not a ${kind} certificate; it was not kept`);
  // The CAs first: during a rotation the new certificate is of a CA that the old file does not have.
  await putFile(paths.ca, bundle, terminal);
  await replaceFile(paths.cert, leaf.pem);
  terminal.err(`promgate: renewed ${paths.cert}`);
  await putFile(paths.state, printState({ gate: gate.url, caFile }), terminal);
  terminal.out(`${quoteForeign(name)}: serial ${leaf.serial}, valid until ${day(leaf.notAfter)}`);
  return 0;
}

interface Held {
  readonly leaf: CertificateInfo;
  readonly cert: string;
  readonly key: string;
}

async function readHeld(paths: EnrolledPaths): Promise<Held> {
  const [cert, key] = [await readIfThere(paths.cert), await readIfThere(paths.key)];
  if (cert === null || key === null) {
    throw new PromgateError('FILE_UNSAFE', `${cert === null ? paths.cert : paths.key} does not exist`, {
      hint: '`promgate pki enroll NAME` makes a key and gets its first certificate',
    });
  }
  const matches = keyMatches(cert, key);
  if (!matches.ok) throw new PromgateError('FILE_UNSAFE', `${paths.key}: ${matches.message}`);
  const certificates = parseCertificates(cert);
  const [leaf] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw new PromgateError('FILE_UNSAFE', `${paths.cert} is no certificate`);
  return { leaf, cert, key };
}

interface Proving {
  /** A certificate request, PEM. */
  readonly request: string;
  /** What the gate is verified with; null: the CAs of the system. */
  readonly ca: string | null;
  readonly now: number;
}

/** The certificate before the request, and a signature over both: for the CA that has issued it, and for now. */
async function proved(
  paths: EnrolledPaths,
  { leaf, key }: Held,
  { request, ca, now }: Proving,
): Promise<Pick<GateCall, 'request' | 'authorization'>> {
  const cas = [(await readIfThere(paths.ca)) ?? '', ca ?? ''].flatMap((text) => {
    const certificates = parseCertificates(text);
    return certificates.ok ? certificates.value : [];
  });
  const issuer = issuerAmong({ certificates: cas }, leaf);
  if (issuer === null) {
    throw new PromgateError('FILE_UNSAFE', `the CA of ${paths.cert} is not in ${paths.ca}`, {
      hint: `put a copy of its ca.crt in the place of ${paths.ca}`,
    });
  }
  const body = leaf.pem + request;
  const proof = signProof({ caFingerprint: issuer.fingerprint, time: now, body }, key);
  return { request: body, authorization: printProof(proof) };
}

function refusedProof(gate: GateAddress, answer: GateAnswer, now: number): PromgateError {
  const off = answer.date === null ? 0 : Math.round((now - answer.date) / 1000);
  const clock = `the clock of this host is ${String(Math.abs(off))} s ${off > 0 ? 'ahead of' : 'behind'} that of the gate`;
  const no =
    'it does not know this certificate or renews no servers: enrollment: { renew_servers: true } in its promgate.yml';
  const hints: Readonly<Record<number, string>> = {
    401: Math.abs(off) > MOST_SECONDS_OFF ? `${clock}: set it right` : no,
    403: 'the certificate is revoked, has ended, or the address is not allowed; the log of the gate has the reason',
    404: no,
    429: 'it was renewed too often today, or this address is locked out for a while',
    503: 'the log of the gate has the cause; the certificate that is there stays valid',
  };
  const hint = hints[answer.status];
  return refused(gate, saysNo(answer.status, answer.body), hint === undefined ? {} : { hint });
}

function refusedRenewal(gate: GateAddress, { status, body }: GateAnswer): PromgateError {
  const off =
    'it does not take this certificate, or does not renew any: enrollment: { renew: true } in its promgate.yml';
  const hints: Readonly<Record<number, string>> = {
    401: off,
    403: 'the certificate is revoked, of another CA, or not allowed from here; the log of the gate has the reason',
    404: off,
    429: 'it was renewed too often today',
    503: 'the log of the gate has the cause; the certificate that is there stays valid',
  };
  const hint = hints[status];
  return refused(gate, saysNo(status, body), hint === undefined ? {} : { hint });
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
