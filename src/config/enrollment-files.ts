/**
 * Whether the CA of `enrollment` can do what it is there for. Warnings only: it is read when somebody enrolls, and until
 * then the gate serves without it.
 */
import { join } from 'node:path';
import { parseCertificates } from '../formats/x509.ts';
import type { Problem } from '../lib/problem.ts';
import { pathBeside } from './acme-files.ts';
import type { ClientTrustFiles } from './client-trust.ts';
import { readRegularFile } from './files.ts';
import type { Raw } from './schema.ts';

/** As the own CA names its files (tls/authority/authority-directory.ts). */
const CA_FILE = 'ca.crt';
const KEY_FILE = 'ca.key';

/**
 * @param trust null when it could not be read: that is a problem already.
 * @param configFile the configuration file's name.
 */
export async function enrollmentProblems(
  { enrollment }: Raw,
  trust: ClientTrustFiles | null,
  configFile: string,
): Promise<readonly Problem[]> {
  if (enrollment === undefined) return [];
  const directory = pathBeside(configFile, enrollment.authority);
  const found = await fault(directory, enrollment.authority, trust);
  if (found === null) return [];
  return [{ severity: 'warning', path: ['enrollment'], at: 'key', ...found }];
}

type Fault = Required<Pick<Problem, 'message' | 'hint'>>;

async function fault(directory: string, written: string, trust: ClientTrustFiles | null): Promise<Fault | null> {
  const at = (name: string): string => JSON.stringify(join(written, name));
  const ca = await readRegularFile(join(directory, CA_FILE));
  const certificates = parseCertificates(ca.ok ? ca.text : '');
  const [certificate] = certificates.ok ? certificates.value : [];
  if (certificate === undefined) {
    const hint = `\`promgate pki init --directory=${written}\` makes a CA, or set authority`;
    return { message: `there is no certificate of a CA in ${at(CA_FILE)}: nobody can enroll`, hint };
  }
  const key = await readRegularFile(join(directory, KEY_FILE));
  const hint = 'a request is signed with `promgate pki sign` where the key is kept';
  if (!key.ok) return { message: `the key of the CA is not in ${at(KEY_FILE)}: nobody can enroll`, hint };
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(key.text)) {
    return { message: `the key of the CA in ${at(KEY_FILE)} has a passphrase: nobody can enroll`, hint };
  }
  if (trust === null || trust.ca.some(({ fingerprint }) => fingerprint === certificate.fingerprint)) return null;
  return {
    message: `the CA in ${at(CA_FILE)} is no client CA here: who enrolls does not get in`,
    hint: 'add it to client_ca_file, unless the certificates are for other gates',
  };
}
