/** `promgate pki issue server|client` and `promgate pki sign`: a new certificate, its files, and what to write where. */
import { resolve } from 'node:path';
import { isIP } from 'node:net';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { readIfThere, recordIssued } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import type { CertificateKind, IssuedCertificate } from '../../tls/authority/certificate-index.ts';
import { certifyClient, issueClient, issueServer } from '../../tls/authority/issue.ts';
import { generateKey } from '../../tls/authority/keys.ts';
import type { CertificateAndKey, KeyType } from '../../tls/authority/keys.ts';
import { isDnsName } from '../../tls/authority/names.ts';
import type { AlternativeName } from '../../tls/authority/names.ts';
import { readSigningRequest } from '../../tls/authority/signing-request.ts';
import type { Terminal } from '../terminal.ts';
import { asRefusal, openAuthority, unlockAuthority } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { describe, issuedPaths, refuseExisting, writeNewFiles } from './issued-files.ts';
import type { IssuedPaths } from './issued-files.ts';
import { DEFAULT_DAYS } from './lifetimes.ts';

export interface IssueServerOptions {
  readonly directory: string;
  /** DNS names and addresses; the first is the certificate's name. */
  readonly names: readonly string[];
  readonly days: number | null;
  readonly keyType: KeyType;
}

export interface IssueClientOptions {
  readonly directory: string;
  readonly name: string;
  /** `type:value`; without any the name itself, where it is a DNS name. */
  readonly sans: readonly string[];
  readonly days: number | null;
  readonly keyType: KeyType;
}

export interface SignOptions extends Omit<IssueClientOptions, 'keyType'> {
  /** A file with a certificate request. */
  readonly request: string;
}

export async function issueServerCertificate(
  { directory, names, days, keyType }: IssueServerOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const [name] = names;
  if (name === undefined) throw new PromgateError('USAGE', 'a server certificate needs at least one name');
  const { authority, paths, request } = await begin({ directory, name, days, makesKey: true }, environment);
  const issued = await asRefusal(() => issueServer({ ...request, names, key: generateKey(keyType) }));
  const entry = await keep(authority, { ...issued, paths, name, kind: 'server' }, terminal, environment);
  terminal.out(
    [
      '# for promgate.yml, or the web.yml of an exporter:',
      'tls_server_config:',
      `  cert_file: ${JSON.stringify(resolve(paths.cert))}`,
      `  key_file: ${JSON.stringify(resolve(paths.key))}`,
    ].join('\n'),
  );
  tellEnd(entry, terminal);
  return 0;
}

export async function issueClientCertificate(
  { directory, name, sans, days, keyType }: IssueClientOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const names = clientNames(name, sans);
  const { authority, paths, request } = await begin({ directory, name, days, makesKey: true }, environment);
  const issued = await asRefusal(() => issueClient({ ...request, name, sans: names, key: generateKey(keyType) }));
  const entry = await keep(authority, { ...issued, paths, name, kind: 'client' }, terminal, environment);
  tellTlsConfig(authority, paths, paths.key, entry, terminal);
  return 0;
}

/** Names, purpose and lifetime are those of the command line: the request brings its key and nothing else. */
export async function signRequest(
  { directory, request, name, sans, days }: SignOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const names = clientNames(name, sans);
  const text = await readIfThere(request);
  if (text === null) throw new PromgateError('FILE_UNSAFE', `${request} does not exist`);
  const publicKey = await asRefusal(() => readSigningRequest(text));
  const begun = await begin({ directory, name, days, makesKey: false }, environment);
  const { authority, paths } = begun;
  const cert = await asRefusal(() => certifyClient({ ...begun.request, name, sans: names, publicKey }));
  const entry = await keep(authority, { cert, key: null, paths, name, kind: 'client' }, terminal, environment);
  tellTlsConfig(authority, paths, null, entry, terminal);
  return 0;
}

interface Beginning {
  readonly authority: Authority;
  readonly paths: IssuedPaths;
  readonly request: { readonly ca: CertificateAndKey; readonly days: number; readonly now: number };
}

/** Room for the files, then the CA: nobody is asked for a passphrase in vain. */
async function begin(
  wanted: Pick<IssueClientOptions, 'directory' | 'name' | 'days'> & { readonly makesKey: boolean },
  environment: PkiEnvironment,
): Promise<Beginning> {
  const paths = issuedPaths(wanted.directory, wanted.name);
  const authority = await openAuthority(wanted.directory);
  await refuseExisting([paths.cert, paths.chain, ...(wanted.makesKey ? [paths.key] : [])]);
  const { cert, key } = await unlockAuthority(authority, environment);
  const request = { ca: { cert, key }, days: wanted.days ?? DEFAULT_DAYS, now: environment.clock.now() };
  return { authority, paths, request };
}

interface NewCertificate {
  readonly cert: string;
  readonly key: string | null;
  readonly paths: IssuedPaths;
  readonly name: string;
  readonly kind: CertificateKind;
}

/** The index first: nothing that was signed is unknown to it, whatever happens to the files. */
async function keep(
  authority: Authority,
  { cert, key, paths, name, kind }: NewCertificate,
  terminal: Terminal,
  { clock }: PkiEnvironment,
): Promise<IssuedCertificate> {
  const entry = describe(cert, name, kind);
  await recordIssued(authority.paths, clock, entry);
  const files = [
    ...(key === null ? [] : [{ path: paths.key, text: key, mode: 0o600 }]),
    { path: paths.cert, text: cert, mode: 0o644 },
    { path: paths.chain, text: cert + authority.certificate.pem, mode: 0o644 },
  ];
  await writeNewFiles(files, terminal);
  return entry;
}

export function clientNames(name: string, sans: readonly string[]): readonly AlternativeName[] {
  if (sans.length > 0) return sans.map(alternativeName);
  return isDnsName(name) ? [{ type: 'dns', value: name }] : [];
}

/** Names under which a server is reached: DNS names and addresses; without any its own name, where it is one. */
export function serverNames(name: string, sans: readonly string[]): readonly AlternativeName[] {
  const names = (sans.length === 0 && (isDnsName(name) || isIP(name) !== 0) ? [name] : sans).map(alternativeName);
  const other = names.find(({ type }) => type !== 'dns' && type !== 'ip');
  if (names.length > 0 && other === undefined) return names;
  const fault =
    other === undefined
      ? `${quoteForeign(name)} is neither a DNS name nor an address`
      : `a server has no ${other.type} name`;
  throw new PromgateError('USAGE', fault, {
    hint: 'say how the server is reached: --san=dns:NAME or --san=ip:ADDRESS',
  });
}

/** `dns:a`, `ip:::1`, `email:a@b`, `uri:a://b`; without a type as `san` in the configuration is read. */
function alternativeName(text: string): AlternativeName {
  const [, type, value] = /^(dns|ip|email|uri):(.+)$/i.exec(text) ?? [];
  if (type !== undefined && value !== undefined) {
    return { type: type.toLowerCase() as AlternativeName['type'], value };
  }
  if (isIP(text) !== 0) return { type: 'ip', value: text };
  if (text.includes('://')) return { type: 'uri', value: text };
  if (text.includes('@')) return { type: 'email', value: text };
  if (isDnsName(text)) return { type: 'dns', value: text };
  throw new PromgateError('USAGE', `${quoteForeign(text)} is no subject alternative name`, {
    hint: 'write dns:NAME, ip:ADDRESS, email:ADDRESS or uri:URI',
  });
}

function tellTlsConfig(
  authority: Authority,
  paths: IssuedPaths,
  key: string | null,
  entry: IssuedCertificate,
  terminal: Terminal,
): void {
  terminal.out(
    [
      '# for the scrape job in prometheus.yml; on another host put copies of the files, and their paths here:',
      'tls_config:',
      `  ca_file: ${JSON.stringify(resolve(authority.paths.cert))}`,
      `  cert_file: ${JSON.stringify(resolve(paths.cert))}`,
      `  key_file: ${key === null ? '/path/to/the/key/of/the/request' : JSON.stringify(resolve(key))}`,
      '# for identities in promgate.yml, to take no other key than this one:',
      `#   certificates: [{ spki: ${entry.spki} }]`,
    ].join('\n'),
  );
  tellEnd(entry, terminal);
}

function tellEnd({ name, serial, notAfter }: IssuedCertificate, terminal: Terminal): void {
  const end = new Date(notAfter).toISOString().slice(0, 10);
  terminal.err(`promgate: ${quoteForeign(name)}, serial ${serial}, is valid until ${end}`);
}
