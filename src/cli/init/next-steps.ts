/**
 * What to do next, as text that works as it stands: a curl line, and the scrape jobs for the central Prometheus. Paths
 * are absolute. Contains no secret. Pure.
 */
import { isIP, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import type { ConfigurationFacts } from './configuration.ts';
import { FIRST_USER } from './credentials.ts';
import type { Layout } from './layout.ts';

export interface NextStepsRequest {
  readonly layout: Layout;
  readonly facts: ConfigurationFacts;
  readonly hostName: string;
  readonly addresses: readonly string[];
  /** Names of the server certificate when the own CA issued it, else null. */
  readonly ownNames: readonly string[] | null;
  /** The CA that issued the server certificate, where it is at hand. */
  readonly serverCa: string;
  /** Whether the gate takes the client certificate that `init` made. */
  readonly hasClientCertificate: boolean;
  readonly hasPassword: boolean;
  /** Whether the password of the first user is in `initial-password`. */
  readonly hasPasswordFile: boolean;
}

/** The lines between which the scrape jobs stand, so that they can be cut out. */
export const JOBS_BEGIN = '# --- begin: for prometheus.yml of the central Prometheus ---';
export const JOBS_END = '# --- end ---';

/** @returns null when the gate listens on no TCP address. */
export function nextSteps(request: NextStepsRequest): string | null {
  const { listen } = request.facts;
  if (listen === null) return null;
  return [
    `Once it serves${runCommand(request.layout)}, ask it:`,
    '',
    curlLine(request, `${urlHost(listen.host ?? localName(request))}:${String(listen.port)}`),
    '',
    'and have the central Prometheus scrape it:',
    '',
    JOBS_BEGIN,
    'scrape_configs:',
    ...jobs(request, `${urlHost(listen.host ?? reachableName(request))}:${String(listen.port)}`),
    JOBS_END,
  ].join('\n');
}

/** `npm start` takes the configuration of its own folder only. */
function runCommand({ config }: Layout): string {
  return config === 'promgate.yml'
    ? ' (promgate run, or npm start in a checkout)'
    : ` (promgate run --config.file=${shellWord(config)})`;
}

function curlLine(request: NextStepsRequest, authority: string): string {
  const { layout, facts, ownNames, hasClientCertificate, hasPassword } = request;
  const words = ['curl'];
  if (facts.hasTls && ownNames !== null) words.push('--cacert', shellWord(resolve(request.serverCa)));
  if (facts.hasTls && hasClientCertificate) {
    words.push('--cert', shellWord(resolve(layout.client.cert)), '--key', shellWord(resolve(layout.client.key)));
  } else if (hasPassword) {
    words.push('--user', FIRST_USER);
  }
  const prometheus = facts.upstreams.find(({ kind }) => kind === 'prometheus');
  const path =
    prometheus === undefined
      ? `${facts.upstreams[0]?.prefix ?? ''}/metrics`
      : `${prometheus.prefix}/api/v1/query?query=up`;
  words.push(shellWord(`${facts.hasTls ? 'https' : 'http'}://${authority}${path}`));
  return words.join(' ');
}

function jobs(request: NextStepsRequest, target: string): string[] {
  return request.facts.upstreams.flatMap(({ kind, prefix }) => {
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
    return [...head, ...credentials(request), ...targets(request, target)];
  });
}

function credentials(request: NextStepsRequest): string[] {
  const { layout, facts, ownNames, hasClientCertificate, hasPassword, hasPasswordFile } = request;
  const passwordFile = hasPasswordFile ? resolve(layout.initialPassword) : '/path/to/a/file/with/the/password';
  const basicAuth = ['basic_auth:', `  username: ${FIRST_USER}`, `  password_file: ${JSON.stringify(passwordFile)}`];
  const lines = [`scheme: ${facts.hasTls ? 'https' : 'http'}`];
  const usesCertificate = facts.hasTls && hasClientCertificate;
  if (facts.hasTls && (ownNames !== null || usesCertificate)) {
    lines.push('# These paths are of this host: on another one put copies of the files, and their paths here.');
    lines.push('tls_config:');
    if (ownNames !== null) lines.push(`  ca_file: ${JSON.stringify(resolve(request.serverCa))}`);
  }
  if (usesCertificate) {
    lines.push(`  cert_file: ${JSON.stringify(resolve(layout.client.cert))}`);
    lines.push(`  key_file: ${JSON.stringify(resolve(layout.client.key))}`);
    if (hasPassword) lines.push('# With the password instead of cert_file and key_file:');
    if (hasPassword) lines.push(...basicAuth.map((line) => `# ${line}`));
  } else if (hasPassword) {
    lines.push(...basicAuth);
  }
  return lines.map((line) => `    ${line}`);
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
function reachableName({ addresses, ownNames, hostName, facts }: NextStepsRequest): string {
  if (facts.hasTls && ownNames === null) return hostName;
  const names = ownNames ?? [...addresses, hostName];
  const own = addresses.find((address) => names.includes(address));
  if (own !== undefined || names.includes('localhost')) return own ?? 'localhost';
  // A certificate that was made elsewhere names the host as others know it.
  return names.find((name) => isIP(name) === 0 && !name.startsWith('*')) ?? names[0] ?? 'localhost';
}

/** By which this host reaches itself. */
function localName(request: NextStepsRequest): string {
  const { ownNames } = request;
  return ownNames === null || ownNames.includes('localhost') ? 'localhost' : reachableName(request);
}

function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
