/**
 * A site without a key that travels: its gate, in front of a node_exporter, gets its server certificate from the central gate
 * with a one-time token, is scraped by a Prometheus, and has it renewed by its key, as docs/pki.md says.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAuthorityHost, paste, readToken, serialOf } from '../support/authority-host.ts';
import type { AuthorityHost } from '../support/authority-host.ts';
import { curl } from '../support/curl.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { startNodeExporter } from '../support/node-exporter.ts';
import type { NodeExporter } from '../support/node-exporter.ts';
import { poll } from '../support/poll.ts';
import { runProcess } from '../support/processes.ts';
import type { Finished } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

/** The host of the CA and of the central gate. */
let centre: AuthorityHost;
/** The host of the exporter and of the gate in front of it. */
let site: string;
let exporter: NodeExporter;
let central: Gate;
let sidecar: Gate | null = null;
let prometheus: Prometheus | null = null;

const certs = (name: string): string => centre.certs(name);
const own = (name: string): string => join(site, name);

const onSite = (line: string, input = ''): Promise<Finished> => paste(line, { cwd: site, input });

/** What a new connection to the gate of the site is shown, verified by the CA. */
async function servedSerial({ port }: Gate): Promise<string> {
  return new Promise((resolve, reject) => {
    const ca = readFileSync(certs('ca.crt'));
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername: 'localhost', ca }, () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

beforeAll(async () => {
  centre = await createAuthorityHost();
  site = await mkdtemp(join(tmpdir(), 'promgate-site-'));
  await centre.pki('issue', 'client', 'prometheus');
  exporter = await startNodeExporter();
  central = await centre.startGate(`
enrollment: {authority: ${join(centre.directory, 'certs')}, renew_servers: true}
upstreams: [{url: self}]
`);
  await copyFile(central.configFile, join(centre.directory, 'promgate.yml'));
});
afterAll(async () => {
  await prometheus?.stop();
  await sidecar?.stop();
  await central.stop();
  await exporter.stop();
  await centre.remove();
  await rm(site, { recursive: true, force: true });
});

it('gets its certificate with the printed command and the token, serves with it, and is scraped', async () => {
  const printed = await centre.pki(
    'token',
    'site-a',
    '--server',
    '--san=dns:localhost',
    '--san=ip:127.0.0.1',
    '--days=30',
  );
  const { command, token } = readToken(printed);
  await poll('the gate has seen the token', async () =>
    (await central.metrics()).includes('promgate_enrollment_open 1'),
  );
  const enrolled = await onSite(command, `${token}\n`);
  expect(enrolled, enrolled.stderr).toMatchObject({ code: 0 });
  expect(readdirSync(site).sort()).toEqual(['site-a.ca.crt', 'site-a.crt', 'site-a.enrollment.json', 'site-a.key']);
  expect(statSync(own('site-a.key')).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(centre.directory, 'certs'))).not.toContain('site-a.key');
  const strict = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'localhost', '-CAfile', certs('ca.crt')];
  expect(await runProcess('openssl', ['verify', ...strict, own('site-a.crt')])).toMatchObject({ code: 0 });

  sidecar = await startGate({
    config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
authenticate: certificate
${enrolled.stdout.trim()}
  client_ca_file: ${own('site-a.ca.crt')}
upstreams: [{url: "${exporter.url}", kind: exporter}]
`,
  });
  prometheus = await startPrometheus({
    scrapeConfigs: `  - job_name: site
    scheme: https
    tls_config: {ca_file: ${certs('ca.crt')}, cert_file: ${certs('prometheus.crt')}, key_file: ${certs('prometheus.key')}}
    static_configs: [{targets: ["127.0.0.1:${sidecar.port}"]}]`,
  });
  await prometheus.waitFor('up{job="site"} == 1');
  expect(central.logs()).not.toContain(token);
});

it('renews it with its key when it is due, and serves the new one without a restart', async () => {
  const gate = sidecar ?? expect.fail('the first test has started no gate');
  const key = readFileSync(own('site-a.key'), 'utf8');
  const before = await serialOf(own('site-a.crt'));
  expect(await servedSerial(gate)).toBe(before);
  const early = await onSite('promgate pki enroll site-a --renew');
  expect(early).toMatchObject({ code: 0, stdout: expect.stringContaining('it is renewed from') as string });
  expect(await serialOf(own('site-a.crt'))).toBe(before);

  const renewed = await onSite('promgate pki enroll site-a --renew --force');
  expect(renewed, renewed.stderr).toMatchObject({ code: 0 });
  expect(readFileSync(own('site-a.key'), 'utf8')).toBe(key);
  const after = await serialOf(own('site-a.crt'));
  expect(after).not.toBe(before);
  await poll('the new certificate is served', async () => (await servedSerial(gate)) === after);
  await prometheus?.waitFor('up{job="site"} == 1');
  expect(await central.metrics()).toContain('promgate_enrollment_certificates_total{by="key"} 1');
  expect(await centre.pki('list')).toContain('site-a');
  // Without a token the path is open for this alone.
  expect(await curl('--cacert', certs('ca.crt'), `${central.url}/metrics`)).toMatchObject({ status: 401 });
});

it('is told what is the matter: a name that is revoked, a gate that renews no servers', async () => {
  await centre.pki('revoke', 'site-a');
  const revoked = await onSite('promgate pki enroll site-a --renew --force');
  expect(revoked).toMatchObject({ code: 1, stdout: '' });
  expect(revoked.stderr).toContain('the certificate is revoked');
  const config = readFileSync(central.configFile, 'utf8');
  writeFileSync(central.configFile, config.replace('renew_servers: true', 'renew_servers: false'));
  await poll('the door is closed', async () => {
    const { code, stderr } = await onSite('promgate pki enroll site-a --renew --force');
    return code === 1 && stderr.includes('renew_servers: true');
  });
});
