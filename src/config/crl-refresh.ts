/** Whether the gate can renew a revocation list of its own CA by itself, for a warning where it cannot. */
import { basename, dirname, join } from 'node:path';
import type { Crl } from '../formats/crl.ts';
import type { CertificateInfo } from '../formats/x509.ts';
import { readRegularFile } from './files.ts';
import type { FileText } from './files.ts';
import { formatTime } from './groups.ts';

/** As the own CA names its files (tls/authority/authority-directory.ts). */
const CRL_FILE = 'ca.crl';
const KEY_FILE = 'ca.key';

/** @returns a warning for a list of an own CA whose key lies beside it under a passphrase; else null. */
export async function unrefreshable(
  crl: Crl,
  ca: readonly CertificateInfo[],
  { name }: FileText,
): Promise<{ readonly message: string; readonly hint: string } | null> {
  if (basename(name) !== CRL_FILE || crl.nextUpdate === null) return null;
  if (!ca.some(({ subjectKey }) => subjectKey === crl.issuerKey)) return null;
  const key = await readRegularFile(join(dirname(name), KEY_FILE));
  if (!key.ok || !/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(key.text)) return null;
  return {
    message: `${JSON.stringify(name)} is not renewed by the gate: the key of its CA has a passphrase`,
    hint: `run \`promgate pki crl --directory=${dirname(name)}\` before ${formatTime(crl.nextUpdate)}`,
  };
}
