/** Whether the gate can renew by itself what its own CA has signed, for a warning where nothing does. */
import { basename, dirname, join } from 'node:path';
import type { Crl } from '../formats/crl.ts';
import { parseCertificates } from '../formats/x509.ts';
import type { CertificateInfo } from '../formats/x509.ts';
import { whyNotWritable } from '../lib/private-file.ts';
import { readRegularFile } from './files.ts';
import { formatTime } from './groups.ts';

/** As the own CA names its files (tls/authority/authority-directory.ts). */
const CA_FILE = 'ca.crt';
const CRL_FILE = 'ca.crl';
const KEY_FILE = 'ca.key';
const DAY_MS = 86_400_000;
/** The most that `pki crl` takes. */
const MOST_DAYS = 3650;
/** How much earlier than its CA a list may end to count as lasting as long: this, and a tenth of the CA's life. */
const MOST_SLACK_MS = 31 * DAY_MS;

interface Unrenewed {
  readonly message: string;
  readonly hint: string;
}

/** @returns a warning for a list of an own CA that the gate cannot renew: by its key, or by its directory; else null. */
export async function unrefreshable(
  crl: Crl,
  ca: readonly CertificateInfo[],
  { name }: { readonly name: string },
): Promise<Unrenewed | null> {
  if (basename(name) !== CRL_FILE || crl.nextUpdate === null) return null;
  const issuer = ca.find(({ subjectKey }) => subjectKey === crl.issuerKey);
  if (issuer === undefined) return null;
  const directory = dirname(name);
  const command = `promgate pki crl --directory=${directory}`;
  const obstacle = await obstacleIn(directory);
  // A list that lasts as long as its CA needs nobody.
  if (
    obstacle === null ||
    crl.nextUpdate >= issuer.notAfter - Math.min(MOST_SLACK_MS, (issuer.notAfter - issuer.notBefore) / 10)
  )
    return null;
  if (obstacle === 'encrypted') {
    return {
      message: `${JSON.stringify(name)} is not renewed by the gate: the key of its CA has a passphrase`,
      hint: `run \`${command}\` before ${formatTime(crl.nextUpdate)}`,
    };
  }
  const days = Math.min(MOST_DAYS, Math.ceil((issuer.notAfter - crl.thisUpdate) / DAY_MS));
  return {
    message: `${obstacle}: the list ${JSON.stringify(name)} ends ${formatTime(crl.nextUpdate)} and nothing renews it`,
    hint: `let the gate do so, or make one that lasts as long as its CA: \`${command} --days=${String(days)}\``,
  };
}

/** @returns a warning for a certificate of an own CA beside it that the gate cannot renew; else null. */
export async function unrenewable(leaf: CertificateInfo, name: string): Promise<Unrenewed | null> {
  const directory = dirname(name);
  const text = await readRegularFile(join(directory, CA_FILE));
  const ca = text.ok ? parseCertificates(text.text) : null;
  const issuer = ca?.ok === true ? ca.value.find(({ subjectKey }) => subjectKey === leaf.issuerKey) : undefined;
  if (issuer === undefined || issuer.fingerprint === leaf.fingerprint) return null;
  const obstacle = await obstacleIn(directory);
  if (obstacle === null || obstacle === 'encrypted') return null;
  return {
    message: `${obstacle}: the certificate ${JSON.stringify(name)} ends ${formatTime(leaf.notAfter)} and nothing renews it`,
    hint: 'let the gate do so, or run `promgate init` by a timer as a user who may: it renews 30 days before the end',
  };
}

/** null: nothing is in the way, or the key of the CA is kept elsewhere, and so is who renews. */
async function obstacleIn(directory: string): Promise<string | null> {
  const keyName = join(directory, KEY_FILE);
  const key = await readRegularFile(keyName);
  if (!key.ok) return key.code === 'ENOENT' ? null : `cannot read ${keyName}`;
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(key.text)) return 'encrypted';
  const code = await whyNotWritable(directory);
  return code === null ? null : `cannot write ${directory} (${code})`;
}
