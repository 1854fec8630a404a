/** Real certificates, made by the real openssl in a directory of their own: authorities, servers, clients, CRLs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Purpose = 'server' | 'client' | 'both';
export type KeyType = 'ec' | 'rsa' | 'ed25519';

export interface IssueOptions {
  /** The common name. */
  readonly name: string;
  /** As openssl writes them: `DNS:localhost`, `IP:127.0.0.1`, `URI:…`, `email:…`. */
  readonly sans?: readonly string[];
  /** Extended key usage; default `both`. */
  readonly purpose?: Purpose;
  readonly keyType?: KeyType;
  /** Default: an hour ago. */
  readonly notBefore?: Date;
  /** Default: in a day. */
  readonly notAfter?: Date;
}

export interface Issued {
  /** PEM of the leaf, then of intermediate authorities. */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CrlOptions {
  /** Default: an hour ago. */
  readonly thisUpdate?: Date;
  /** Default: in a day. */
  readonly nextUpdate?: Date;
  /** The CRL number; default one more than the last. */
  readonly number?: number;
}

export interface Authority {
  readonly cert: string;
  readonly certFile: string;
  readonly directory: string;
  issue(options: IssueOptions): Issued;
  /** An authority below this one; its leaves carry its certificate as their chain. */
  intermediate(name: string): Authority;
  revoke(issued: Pick<Issued, 'certFile'>): void;
  /** Writes a CRL of everything revoked so far. */
  crl(options?: CrlOptions): { readonly pem: string; readonly file: string };
  /** Removes the directory, intermediates and leaves too. */
  remove(): void;
}

const HOUR_MS = 3_600_000;
const EXTENDED_KEY_USAGE = { server: 'serverAuth', client: 'clientAuth', both: 'serverAuth,clientAuth' };
const KEY_ARGUMENTS = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
  ed25519: ['-newkey', 'ed25519'],
};
const CONFIG = `[ca]
default_ca = this
[this]
dir = .
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = default
default_crl_days = 1
unique_subject = no
policy = any
x509_extensions = leaf
crl_extensions = crl
[any]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid:always
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`;

function inHours(hours: number): Date {
  return new Date(Date.now() + hours * HOUR_MS);
}

/** ASN.1 GeneralizedTime, as openssl's options take it. */
function asn1Time(date: Date): string {
  return `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}

export function createAuthority(name = 'Test CA'): Authority {
  return authorityIn(mkdtempSync(join(tmpdir(), 'promgate-certificates-')), name, null);
}

interface Parent {
  readonly chain: string;
  sign(requestFile: string, certFile: string, extensions: string, notBefore: Date, notAfter: Date): void;
}

function authorityIn(directory: string, name: string, parent: Parent | null): Authority {
  let count = 0;
  const path = (file: string): string => join(directory, file);
  const read = (file: string): string => readFileSync(path(file), 'utf8');
  const openssl = (...argv: string[]): void => {
    execFileSync('openssl', argv, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const request = (subject: string, keyType: KeyType, keyFile: string, ...more: string[]): void => {
    const common = ['req', '-config', 'openssl.cnf', '-nodes', '-subj', `/CN=${subject}`, '-keyout', keyFile];
    openssl(...common, ...KEY_ARGUMENTS[keyType], ...more);
  };
  const sign: Parent['sign'] = (requestFile, certFile, extensions, notBefore, notAfter) => {
    writeFileSync(path('extensions.cnf'), extensions);
    const dates = ['-startdate', asn1Time(notBefore), '-enddate', asn1Time(notAfter)];
    const files = ['-in', requestFile, '-out', certFile, '-extfile', 'extensions.cnf'];
    openssl('ca', '-batch', '-notext', '-config', 'openssl.cnf', ...dates, ...files);
  };

  mkdirSync(directory, { recursive: true });
  writeFileSync(path('openssl.cnf'), CONFIG);
  writeFileSync(path('index.txt'), '');
  writeFileSync(path('serial'), '1001\n');
  writeFileSync(path('crlnumber'), '01\n');
  if (parent === null) {
    request(name, 'ec', 'ca.key', '-x509', '-days', '30', '-extensions', 'authority', '-out', 'ca.pem');
  } else {
    request(name, 'ec', 'ca.key', '-out', 'ca.csr');
    const extensions = CONFIG.slice(CONFIG.indexOf('[authority]\n') + '[authority]\n'.length);
    parent.sign(path('ca.csr'), path('ca.pem'), extensions, inHours(-1), inHours(24));
  }
  const chain = parent === null ? '' : read('ca.pem') + parent.chain;

  return {
    cert: read('ca.pem'),
    certFile: path('ca.pem'),
    directory,
    issue({
      name: subject,
      sans = [],
      purpose = 'both',
      keyType = 'ec',
      notBefore = inHours(-1),
      notAfter = inHours(24),
    }) {
      count += 1;
      const base = `leaf-${count}`;
      request(subject, keyType, `${base}.key`, '-out', `${base}.csr`);
      const extensions = [
        'basicConstraints = critical,CA:false',
        'subjectKeyIdentifier = hash',
        'authorityKeyIdentifier = keyid',
        `extendedKeyUsage = ${EXTENDED_KEY_USAGE[purpose]}`,
        ...(sans.length === 0 ? [] : [`subjectAltName = ${sans.join(',')}`]),
      ];
      sign(`${base}.csr`, `${base}.pem`, `${extensions.join('\n')}\n`, notBefore, notAfter);
      writeFileSync(path(`${base}.pem`), read(`${base}.pem`) + chain);
      return {
        cert: read(`${base}.pem`),
        key: read(`${base}.key`),
        certFile: path(`${base}.pem`),
        keyFile: path(`${base}.key`),
      };
    },
    intermediate(below) {
      count += 1;
      return authorityIn(path(`authority-${count}`), below, { chain, sign });
    },
    revoke({ certFile }) {
      openssl('ca', '-config', 'openssl.cnf', '-revoke', certFile);
    },
    crl({ thisUpdate = inHours(-1), nextUpdate = inHours(24), number } = {}) {
      count += 1;
      if (number !== undefined) writeFileSync(path('crlnumber'), `${hexOctets(number)}\n`);
      const dates = ['-crl_lastupdate', asn1Time(thisUpdate), '-crl_nextupdate', asn1Time(nextUpdate)];
      openssl('ca', '-config', 'openssl.cnf', '-gencrl', ...dates, '-out', `crl-${count}.pem`);
      return { pem: read(`crl-${count}.pem`), file: path(`crl-${count}.pem`) };
    },
    remove() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Hexadecimal with an even number of digits, as openssl's number files want it. */
function hexOctets(number: number): string {
  const hex = number.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}
