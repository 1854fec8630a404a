/**
 * `promgate pki token`: a one-time token for a certificate, and the command that takes it. The token is shown here and
 * nowhere else; the command does not hold it, so that it stays out of argument lists and of the shell's history.
 */
import { isIP, isIPv6 } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { PromgateError } from '../../lib/errors.ts';
import { quoteForeign } from '../../lib/foreign-text.ts';
import { readIfThere } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import { addToken, cancelToken, createToken } from '../../tls/authority/enrollment-tokens.ts';
import { issueClient, issueServer } from '../../tls/authority/issue.ts';
import { issuerAmong } from '../../tls/authority/issuer.ts';
import { readEnrollment, readFacts } from '../init/configuration.ts';
import { shellWord } from '../init/next-steps.ts';
import type { Terminal } from '../terminal.ts';
import { asRefusal, openAuthority } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { clientNames, serverNames } from './issuance.ts';
import { issuedPaths } from './issued-files.ts';
import { DEFAULT_DAYS } from './lifetimes.ts';

export interface TokenOptions {
  readonly directory: string;
  readonly name: string;
  /** A server certificate; else a client's. */
  readonly server: boolean;
  readonly sans: readonly string[];
  readonly days: number | null;
  /** How long the token is good. */
  readonly minutes: number;
  /** The gate as the client reaches it; null: as well as it can be told from here. */
  readonly gate: string | null;
}

const DEFAULT_PORT = 9095;

export async function makeToken(
  { directory, name, server, sans, days, minutes, gate }: TokenOptions,
  terminal: Terminal,
  { clock, hostName }: PkiEnvironment,
): Promise<number> {
  issuedPaths(directory, name);
  const names = server ? serverNames(name, sans) : clientNames(name, sans);
  const authority = await openAuthority(directory);
  const ca = { cert: authority.cert, key: readyKey(authority) };
  const lifetime = days ?? DEFAULT_DAYS;
  // Now, and not when nobody is there to read it: what the CA would refuse to sign then.
  const wanted = { ca, days: lifetime, now: clock.now() };
  await asRefusal(() =>
    server
      ? issueServer({ ...wanted, names: names.map(({ value }) => value) })
      : issueClient({ ...wanted, name, sans: names }),
  );
  const purpose = server ? 'serverAuth' : 'clientAuth';
  const { text, token } = createToken({ name, sans: names, purpose, days: lifetime, minutes, now: clock.now() });
  await addToken(authority.paths, clock, token);
  const seen = await readGate(authority, hostName, server);
  const words = ['promgate', 'pki', 'enroll', name, `--gate=${gate ?? seen.url}`];
  words.push(`--ca-fingerprint=${authority.certificate.fingerprint}`, ...(seen.hasAcme ? ['--public-ca'] : []));
  const until = new Date(token.expiresAt).toISOString().slice(11, 16);
  terminal.out(
    [
      `# on the host of the ${server ? 'server' : 'client'}, within ${String(minutes)} ${minutes === 1 ? 'minute' : 'minutes'} (until ${until} UTC):`,
      words.map(shellWord).join(' '),
      '# it asks for this token, which is good for one certificate and is not shown again:',
      text,
    ].join('\n'),
  );
  for (const line of seen.warnings) terminal.err(line);
  return 0;
}

/** Makes a token void that was not used. */
export async function dropToken(
  { directory, name }: Pick<TokenOptions, 'directory' | 'name'>,
  terminal: Terminal,
  { clock }: PkiEnvironment,
): Promise<number> {
  const { paths } = await openAuthority(directory);
  if (!(await cancelToken(paths, clock, name))) {
    throw new PromgateError('AUTHORITY_REFUSED', `no token for ${quoteForeign(name)} is pending`, {
      hint: 'it was used, or its time is over; `promgate pki list` shows what was issued',
    });
  }
  terminal.out(`cancelled the token for ${quoteForeign(name)}`);
  return 0;
}

/** The running gate signs by itself: it has nobody to ask for a passphrase. */
function readyKey({ paths, key }: Authority): string {
  if (key.kind === 'ready') return key.pem;
  const hint = 'have the client run `promgate pki enroll NAME`, and sign its request here with `promgate pki sign`';
  const why = key.kind === 'encrypted' ? `${paths.key} has a passphrase` : `${paths.key} is not here`;
  throw new PromgateError('AUTHORITY_REFUSED', `${why}: a gate cannot sign with it, so a token is of no use`, { hint });
}

interface SeenGate {
  readonly url: string;
  readonly hasAcme: boolean;
  readonly warnings: readonly string[];
}

/** What the configuration beside the directory tells of the gate; the file is not judged here. */
async function readGate(authority: Authority, hostName: string, server: boolean): Promise<SeenGate> {
  const directory = resolve(authority.paths.directory);
  const base = dirname(directory);
  const config = join(base, 'promgate.yml');
  const text = await readIfThere(config).catch(() => null);
  const facts = text === null ? null : readFacts(text, base);
  const enrollment = text === null ? null : readEnrollment(text, base);
  const serverCert = facts?.serverCert ?? null;
  const served = serverCert === null ? null : await firstCertificate(serverCert);
  const hasAcme = enrollment?.hasAcme === true;
  const host = facts?.listen?.host ?? reachableName(served) ?? hostName;
  const port = String(facts?.listen?.port ?? DEFAULT_PORT);
  const warnings: string[] = [];
  if (enrollment?.directory !== directory) {
    const where = text === null ? '' : ` in ${config}`;
    warnings.push(`promgate: warning: a gate takes the token only with a section enrollment${where}:`);
    const renews = server ? ', renew_servers: true' : '';
    warnings.push(`promgate: hint: enrollment: { authority: ${JSON.stringify(directory)}${renews} }`);
  } else if (server && !enrollment.renewsServers) {
    warnings.push(
      'promgate: warning: the gate does not renew server certificates: this one ends, and takes a new token',
    );
    warnings.push(`promgate: hint: enrollment: { renew_servers: true } in ${config}`);
  }
  if (!hasAcme && served !== null && issuerAmong(authority, served) === null) {
    warnings.push('promgate: warning: the gate shows a certificate of another CA than this one');
    warnings.push(
      'promgate: hint: add --ca-file=FILE with that CA to the command, or --public-ca for a well-known one',
    );
  }
  return { url: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`, hasAcme, warnings };
}

async function firstCertificate(path: string): Promise<CertificateInfo | null> {
  const certificates = parseCertificates((await readIfThere(path).catch(() => null)) ?? '');
  return certificates.ok ? (certificates.value[0] ?? null) : null;
}

/** A name of the certificate under which others reach it: a name of DNS, else an address. */
function reachableName(served: CertificateInfo | null): string | null {
  const isLocal = (name: string): boolean => name === 'localhost' || name.startsWith('*') || isLoopback(name);
  const names = [...(served?.sans.dns ?? []), ...(served?.sans.ip ?? [])];
  return names.find((name) => !isLocal(name)) ?? names.find((name) => !name.startsWith('*')) ?? null;
}

function isLoopback(name: string): boolean {
  return name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}
