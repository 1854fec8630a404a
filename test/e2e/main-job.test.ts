/**
 * The main job on real servers: a central Prometheus federates a Prometheus through the gate, by password and by client
 * certificate, over HTTP/1.1 and HTTP/2, and scrapes a node_exporter over mutual TLS. Whoever must not get in does not.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import type { Authority, Issued } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { startNodeExporter } from '../support/node-exporter.ts';
import type { NodeExporter } from '../support/node-exporter.ts';
import { findProgram, prometheusPrograms } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

/** What Go says of a connection that was closed behind its handshake; which of them depends on who was quicker. */
const CLOSED = /EOF|reset|closed|broken pipe|tls/i;

const PASSWORD = 'correct horse battery staple';

const SELF_SCRAPE = `
- job_name: prometheus
  static_configs: [{targets: ["127.0.0.1:\${port}"]}]
`;

async function htpasswd(...argv: readonly string[]): Promise<string> {
  const { stdout } = await runProcess(findProgram('htpasswd'), ['-n', '-b', ...argv]);
  return stdout;
}

interface Job {
  readonly name: string;
  readonly port: number;
  readonly path?: string;
  readonly tls?: string;
  readonly extra?: string;
}

describe.each(prometheusPrograms())('$name through the gate', ({ path: program }) => {
  let authority: Authority;
  let stranger: Authority;
  let upstream: Prometheus;
  let exporter: NodeExporter;
  let gate: Gate;
  let nodeGate: Gate;
  let central: Prometheus;
  let client: Issued;
  let revoked: Issued;
  let foreign: Issued;

  const job = ({ name, port, path = '/federate', tls = '', extra = '' }: Job): string => `
- job_name: ${name}
  honor_labels: true
  metrics_path: ${path}
  params: {"match[]": ['{__name__=~"up|prometheus_build_info"}']}
  scheme: https
  tls_config: {ca_file: ${authority.certFile}, server_name: localhost${tls}}
  ${extra}
  static_configs: [{targets: ["127.0.0.1:${port}"], labels: {site: ${name}}}]`;

  const shows = (issued: Issued): string => `, cert_file: ${issued.certFile}, key_file: ${issued.keyFile}`;
  const login = (user: string, password: string): string => `basic_auth: {username: ${user}, password: "${password}"}`;

  beforeAll(async () => {
    authority = createAuthority('sites');
    stranger = createAuthority('strangers');
    const server = authority.issue({ name: 'localhost', sans: ['DNS:localhost'], purpose: 'server' });
    client = authority.issue({ name: 'central', sans: ['DNS:central.example'], purpose: 'client' });
    revoked = authority.issue({ name: 'old-central', sans: ['DNS:old.example'], purpose: 'client' });
    foreign = stranger.issue({ name: 'central', sans: ['DNS:central.example'], purpose: 'client' });
    authority.revoke(revoked);
    const crl = authority.crl();
    const files = {
      'server.crt': server.cert,
      'server.key': server.key,
      'ca.crt': authority.cert,
      'ca.crl': crl.pem,
      '.htpasswd': await htpasswd('-m', 'prom', PASSWORD),
    };

    [upstream, exporter] = await Promise.all([
      startPrometheus({ program, scrapeConfigs: SELF_SCRAPE }),
      startNodeExporter(),
    ]);
    const tls = `
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: ca.crt
  client_crl_files: [ca.crl]`;
    [gate, nodeGate] = await Promise.all([
      startGate({
        files,
        config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
authenticate: either
htpasswd_file: .htpasswd
allow: [127.0.0.1, 127.0.0.3]
upstreams: [{url: "${upstream.url}"}]
${tls}
`,
      }),
      startGate({
        files,
        config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
authenticate: certificate
upstreams: [{url: "${exporter.url}", kind: exporter}]
${tls}
`,
      }),
    ]);
    central = await startPrometheus({
      program,
      scrapeConfigs: [
        job({ name: 'password', port: gate.port, extra: login('prom', PASSWORD) }),
        job({ name: 'http1', port: gate.port, extra: `${login('prom', PASSWORD)}\n  enable_http2: false` }),
        job({ name: 'certificate', port: gate.port, tls: shows(client) }),
        job({ name: 'node', port: nodeGate.port, path: '/metrics', tls: shows(client) }),
        job({ name: 'wrong-password', port: gate.port, extra: login('prom', 'guess') }),
        job({ name: 'no-credentials', port: gate.port }),
        job({ name: 'foreign-certificate', port: gate.port, tls: shows(foreign) }),
        job({ name: 'revoked-certificate', port: gate.port, tls: shows(revoked) }),
        job({
          name: 'revoked-with-password',
          port: gate.port,
          tls: shows(revoked),
          extra: login('prom', PASSWORD),
        }),
        job({ name: 'node-without', port: nodeGate.port, path: '/metrics' }),
      ].join('\n'),
    });
  });

  afterAll(async () => {
    await Promise.all([central, gate, nodeGate, upstream, exporter].map((server) => server.stop()));
    authority.remove();
    stranger.remove();
  });

  it.each(['password', 'http1', 'certificate'])('carries the series of the site to the centre by %s', async (site) => {
    const [sample] = await central.waitFor(`prometheus_build_info{site="${site}"}`);
    expect(sample?.metric).toMatchObject({ job: 'prometheus', instance: `127.0.0.1:${upstream.port}` });
  });

  it('carries a node_exporter over mutual TLS', async () => {
    const [sample] = await central.waitFor('node_uname_info{site="node"}');
    expect(sample?.metric).toMatchObject({ sysname: 'Linux' });
  });

  it.each([
    ['wrong-password', /401/],
    ['no-credentials', /401/],
    ['foreign-certificate', CLOSED],
    ['revoked-certificate', CLOSED],
    ['revoked-with-password', CLOSED],
    ['node-without', CLOSED],
  ])('keeps out %s', async (site, error) => {
    await central.waitFor(`up{site="${site}"} == 0`);
    expect(await central.query(`prometheus_build_info{site="${site}"} or node_uname_info{site="${site}"}`)).toEqual([]);
    const target = (await central.targets()).find((candidate) => candidate.job === site);
    expect(target).toMatchObject({ health: 'down', lastError: expect.stringMatching(error) as string });
  });

  it('lets the right address in and closes the connection of a wrong one before TLS', async () => {
    const url = `https://localhost:${gate.port}/federate?match[]=up`;
    const fixed = ['-g', '-4', '--cacert', authority.certFile, '-u', `prom:${PASSWORD}`, url];
    expect(await curl('--interface', '127.0.0.3', ...fixed)).toMatchObject({ exit: 0, status: 200 });
    const refused = await curl('--interface', '127.0.0.2', ...fixed);
    expect(refused).toMatchObject({ status: 0 });
    expect([35, 52, 56]).toContain(refused.exit);
    expect(await gate.metrics()).toMatch(/promgate_refused_total\{reason="address_denied"\} [1-9]/);
  });

  it('says why it refused, in one line each', () => {
    for (const reason of [
      'credentials_wrong',
      'credentials_missing',
      'certificate_unknown_ca',
      'certificate_revoked',
    ]) {
      expect(gate.logs()).toMatch(new RegExp(`reason"?[=:]"?${reason}`));
    }
    expect(nodeGate.logs()).toMatch(/reason"?[=:]"?certificate_missing/);
    expect(gate.logs()).not.toContain(PASSWORD);
  });
});
