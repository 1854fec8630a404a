/**
 * What to do next, as text that works as it stands: a curl line, and the scrape jobs for the central Prometheus. Paths
 * are absolute. Contains no secret. Pure.
 */
import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { FIRST_USER } from './credentials.ts';
import { concreteName, isAddress } from './gate-access.ts';
import type { ClientCredentials, GateAccess, UpstreamAccess } from './gate-access.ts';
import type { Layout } from './layout.ts';

export interface NextStepsRequest {
  readonly layout: Layout;
  readonly access: GateAccess;
  readonly hostName: string;
  readonly addresses: readonly string[];
  /** Whether the password of the first user is in `initial-password`. */
  readonly hasPasswordFile: boolean;
}

/** The lines between which the scrape jobs stand, so that they can be cut out. */
export const JOBS_BEGIN = '# --- begin: for prometheus.yml of the central Prometheus ---';
export const JOBS_END = '# --- end ---';

/** @returns null when there is nothing that would work. */
export function nextSteps(request: NextStepsRequest): string | null {
  const { upstreams, trust } = request.access;
  const question = upstreams.find((one) => one.question !== null)?.question ?? null;
  const scraped = upstreams.filter(({ scrape }) => scrape !== null);
  const serves = `Once it serves${runCommand(request.layout)}`;
  const lines: string[] = [];
  if (question !== null && trust.kind !== 'unknown')
    lines.push(`${serves}, ask it:`, '', curlLine(request, question), '');
  if (scraped.length === 0) return lines.length === 0 ? null : lines.join('\n').trimEnd();
  lines.push(
    lines.length === 0
      ? `${serves}, have the central Prometheus scrape it:`
      : 'and have the central Prometheus scrape it:',
    '',
    JOBS_BEGIN,
    'scrape_configs:',
    ...jobs(request, scraped),
    JOBS_END,
  );
  return lines.join('\n');
}

/** `npm start` takes the configuration of its own folder only. */
function runCommand({ config }: Layout): string {
  return config === 'promgate.yml'
    ? ' (promgate run, or npm start in a checkout)'
    : ` (promgate run --config.file=${shellWord(config)})`;
}

function curlLine(request: NextStepsRequest, { path, credentials }: NonNullable<UpstreamAccess['question']>): string {
  const { listen, trust } = request.access;
  const words = ['curl'];
  if (trust.kind === 'file') words.push('--cacert', shellWord(resolve(trust.path)));
  const { certificate, user } = credentials;
  if (certificate !== null) {
    words.push('--cert', shellWord(resolve(certificate.cert)), '--key', shellWord(resolve(certificate.key)));
  }
  if (user !== null) words.push('--user', shellWord(user));
  // Square brackets in a URL are ranges to curl.
  if (path.includes('[')) words.push('--globoff');
  const name = localName(request);
  if (name !== 'localhost' && !isAddress(name)) {
    // The name of the certificate, at this host whatever it resolves to.
    words.push('--connect-to', shellWord(`::${urlHost(listen.host ?? '127.0.0.1')}:${String(listen.port)}`));
  }
  words.push(shellWord(`${schemeOf(request)}://${urlHost(name)}:${String(listen.port)}${path}`));
  return words.join(' ');
}

function schemeOf({ access }: NextStepsRequest): 'http' | 'https' {
  return access.trust.kind === 'plain' ? 'http' : 'https';
}

function jobs(request: NextStepsRequest, scraped: readonly UpstreamAccess[]): string[] {
  const { listen } = request.access;
  const target = `${urlHost(reachableName(request))}:${String(listen.port)}`;
  return scraped.flatMap(({ kind, prefix, scrape, otherUser }) => {
    const name = `${kind === 'prometheus' ? 'federate' : 'promgate'}-${request.hostName}${prefix.replaceAll('/', '-')}`;
    const head = [`  - job_name: ${JSON.stringify(name)}`];
    if (kind === 'prometheus') {
      head.push(
        '    honor_labels: true',
        `    metrics_path: ${JSON.stringify(`${prefix}/federate`)}`,
        '    params:',
        "      'match[]':",
        '        # Everything. Better a few series, such as those of recording rules: \'{__name__=~"job:.+"}\'',
        '        - \'{__name__=~".+"}\'',
      );
    } else {
      head.push(`    metrics_path: ${JSON.stringify(`${prefix}/metrics`)}`);
    }
    return [...head, ...credentialLines(request, scrape, otherUser), ...targets(request, target)];
  });
}

function credentialLines(
  request: NextStepsRequest,
  credentials: ClientCredentials | null,
  otherUser: string | null,
): string[] {
  const { trust } = request.access;
  const { certificate = null, user = null } = credentials ?? {};
  const lines = [`scheme: ${schemeOf(request)}`];
  if (trust.kind === 'unknown') {
    lines.push(`# ${trust.issuer} issued the server certificate, and is not trusted here. Where the central`);
    lines.push('# Prometheus does not trust it either: tls_config: {ca_file: /path/to/its/certificate}');
  }
  if (trust.kind === 'file' || certificate !== null) {
    lines.push('# These paths are of this host: on another one put copies of the files, and their paths here.');
    lines.push('tls_config:');
    if (trust.kind === 'file') lines.push(`  ca_file: ${JSON.stringify(resolve(trust.path))}`);
  }
  if (certificate !== null) {
    lines.push(`  cert_file: ${JSON.stringify(resolve(certificate.cert))}`);
    lines.push(`  key_file: ${JSON.stringify(resolve(certificate.key))}`);
  }
  if (user !== null) lines.push(...basicAuth(request, user));
  if (certificate !== null && otherUser !== null) {
    lines.push('# With the password instead of cert_file and key_file:');
    lines.push(...basicAuth(request, otherUser).map((line) => `# ${line}`));
  }
  return lines.map((line) => `    ${line}`);
}

function basicAuth({ layout, hasPasswordFile }: NextStepsRequest, user: string): string[] {
  const isFirst = hasPasswordFile && user === FIRST_USER;
  const file = isFirst ? resolve(layout.initialPassword) : '/path/to/a/file/with/the/password';
  return ['basic_auth:', `  username: ${JSON.stringify(user)}`, `  password_file: ${JSON.stringify(file)}`];
}

function targets({ hostName }: NextStepsRequest, target: string): string[] {
  return [
    '    static_configs:',
    `      - targets: [${JSON.stringify(target)}]`,
    '        # Tells this site from the others: without such a label their series would merge.',
    `        labels: {site: ${JSON.stringify(hostName)}}`,
  ];
}

/** An address needs no DNS; it must stand in the certificate. */
function reachableName({ access, addresses, hostName }: NextStepsRequest): string {
  const { listen, names, trust } = access;
  if (trust.kind === 'plain') return listen.host ?? addresses[0] ?? hostName;
  if (listen.host !== null && (names.length === 0 || names.includes(listen.host))) return listen.host;
  const own = addresses.find((address) => names.includes(address));
  if (own !== undefined) return own;
  // A certificate that was made elsewhere names the host as others know it; a bare host name may mean nothing to them.
  const known = names.filter((one) => !isAddress(one) && one.includes('.'));
  const name = known.find((one) => !one.startsWith('*')) ?? known[0];
  if (name !== undefined) return concreteName(name, hostName);
  return names.includes('localhost') ? 'localhost' : (names[0] ?? hostName);
}

/** By which this host reaches itself. */
function localName(request: NextStepsRequest): string {
  const { listen, names, trust } = request.access;
  if (listen.host !== null && (trust.kind === 'plain' || names.includes(listen.host))) return listen.host;
  return trust.kind === 'plain' || names.includes('localhost') ? 'localhost' : reachableName(request);
}

function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
