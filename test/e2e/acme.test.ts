/**
 * A gate that starts with nothing gets its certificate from a real Pebble, serves and renews it without a restart while a
 * client holds a connection open and a real Prometheus scrapes through it, and does not need the CA to start again.
 */
import type { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGate, type Gate } from '../support/gate.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { poll } from '../support/poll.ts';
import { startProcess } from '../support/processes.ts';
import { startPrometheus, type Prometheus } from '../support/prometheus.ts';
import { htpasswdLine, PASSWORD, USER } from '../support/scene.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const NAME = 'gate.example.com';
const AUTHORIZATION = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;

/** The certificate that a new connection gets. */
function served(port: number, servername = NAME): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      if (certificate === undefined) reject(new Error('no certificate'));
      else resolve(certificate);
    });
    socket.on('error', reject);
  });
}

const isIssued = ({ issuer }: X509Certificate): boolean => issuer.includes('Pebble');

async function awaitIssued(gate: Gate, before: string | null = null): Promise<X509Certificate> {
  return poll(
    'the gate serves a new certificate of the CA',
    async () => {
      const certificate = await served(gate.port);
      return isIssued(certificate) && certificate.serialNumber !== before && certificate;
    },
    { deadlineMs: 60_000, everyMs: 100 },
  ).catch((error: unknown) => {
    throw new Error(gate.logs(), { cause: error });
  });
}

async function gateWith(
  pebble: Pebble,
  challenge: string,
  options: { profile?: string; yaml?: string } = {},
): Promise<Gate> {
  const { profile = 'default', yaml = 'authenticate: none' } = options;
  const password = await htpasswdLine(USER, PASSWORD);
  return startGate({
    files: { 'pebble-ca.crt': pebble.directory.ca ?? '', '.htpasswd': password },
    config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
acme:
  directory_url: ${pebble.directory.url}
  ca_file: pebble-ca.crt
  domains: [${NAME}, 127.0.0.1]
  profile: ${profile}
  challenge: ${challenge}
upstreams: [{url: self, path_prefix: /}]
${yaml}
`,
  });
}

describe('a gate that starts without a certificate', () => {
  let pebble: Pebble;
  let gate: Gate;
  let prometheus: Prometheus | undefined;
  beforeAll(async () => {
    pebble = await startPebble({ profiles: { default: 7_776_000, short: 48 } });
    gate = await gateWith(pebble, `{listen: "127.0.0.1:${pebble.httpPort}"}`, {
      profile: 'short',
      yaml: 'htpasswd_file: .htpasswd',
    });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await gate.stop();
    await pebble.stop();
  });

  it('obtains one by http-01 and serves it without a restart, for its name and its address', async () => {
    const certificate = await awaitIssued(gate);
    expect(certificate.checkHost(NAME)).toBe(NAME);
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(gate.logs()).toContain('a self-signed one stands in');
    await poll('the CA was asked when it wants it renewed', () =>
      gate.logs().includes('the CA suggests when to renew'),
    );
    const metrics = await gate.metrics();
    expect(metrics).toContain('promgate_acme_attempts_total{outcome="issued"} 1');
    expect(metrics).toContain(`promgate_acme_self_signed{name="${NAME}"} 0`);
    const notAfter = /promgate_certificate_not_after_timestamp_seconds\{name="gate\.example\.com"\} (\d+)/.exec(
      metrics,
    );
    expect(Number(notAfter?.[1]) * 1000).toBe(Date.parse(certificate.validTo));
  });

  it('renews it by itself and on request, while nobody loses a connection or a scrape', async () => {
    const first = await awaitIssued(gate);
    const root = await pebble.root();
    await writeFile(join(gate.directory, 'root.crt'), root);
    prometheus = await startPrometheus({
      scrapeConfigs: `
- job_name: gate
  scheme: https
  basic_auth: {username: ${USER}, password: ${PASSWORD}}
  tls_config: {ca_file: ${join(gate.directory, 'root.crt')}, server_name: ${NAME}}
  static_configs: [{targets: ["127.0.0.1:${gate.port}"]}]
`,
    });
    const from = Date.now();
    await prometheus.waitFor('up{job="gate"} == 1');
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: root, servername: NAME });
    const sockets = new Set<unknown>();
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { authorization: AUTHORIZATION };
        const request = get({ host: '127.0.0.1', port: gate.port, path: '/metrics', agent, headers }, (response) => {
          response.resume();
          response.on('end', () => {
            resolve(response.statusCode ?? 0);
          });
        });
        request.on('socket', (socket) => sockets.add(socket));
        request.on('error', reject);
      });
    expect(await ask()).toBe(200);

    const second = await awaitIssued(gate, first.serialNumber);
    expect(await ask()).toBe(200);
    const renewed = await gate.command('cert', 'renew');
    expect(renewed.stdout + renewed.stderr).toMatch(/order .*challenge .*validation .*issue .*swap /s);
    expect(renewed.code).toBe(0);
    // The swap is done when the command says so.
    const third = await served(gate.port);
    expect(new Set([first, second, third].map(({ serialNumber }) => serialNumber)).size).toBe(3);
    expect(await ask()).toBe(200);
    expect(sockets.size).toBe(1);
    agent.destroy();

    const scrapes = await prometheus.waitFor(`count_over_time(up{job="gate"}[5m]) > 10`);
    expect(Number(scrapes[0]?.value)).toBeGreaterThan(10);
    expect(Date.now() - from).toBeLessThan(300_000);
    expect((await prometheus.query('min_over_time(up{job="gate"}[5m])'))[0]?.value).toBe('1');
  });

  it('says in cert status what it has, where from and what is next', async () => {
    const json = await gate.command('cert', 'status', '--output=json');
    const { running, certificates } = JSON.parse(json.stdout) as {
      running: boolean;
      certificates: { name: string; source: string; next: unknown; last_error: unknown }[];
    };
    expect(running).toBe(true);
    expect(certificates).toHaveLength(1);
    expect(certificates[0]).toMatchObject({ name: NAME, names: [NAME, '127.0.0.1'], last_error: null });
    expect(certificates[0]?.source).toMatch(/^acme, /);
    expect(certificates[0]?.next).not.toBe(null);
    const table = await gate.command('cert', 'status');
    expect(table.stdout).toMatch(/certificate gate\.example\.com\n.*issuer +CN=Pebble/s);
    expect(table.stdout).toMatch(/ends +\[#+-*\] \d+ s left/);
  });

  it('keeps keys to itself: 0600 in a directory of 0700, and none in the log', async () => {
    const directory = join(gate.directory, 'acme');
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    const files = await readdir(directory);
    expect(files.some((file) => file.endsWith('.pair.json'))).toBe(true);
    for (const file of files) expect((await stat(join(directory, file))).mode & 0o777, file).toBe(0o600);
    expect(gate.logs()).not.toContain('PRIVATE KEY');
  });

  it('serves what it kept when it starts while the CA is down, and says what the CA does', async () => {
    const before = await served(gate.port);
    await gate.process.stop();
    await pebble.process.kill();
    const again = startProcess(process.execPath, [MAIN, 'run', `--config.file=${gate.configFile}`], {
      cwd: gate.directory,
    });
    try {
      const after = await poll('the gate serves again', () => served(gate.port), { deadlineMs: 20_000 });
      expect(after.serialNumber).toBe(before.serialNumber);
      const outcome = /promgate_acme_attempts_total\{outcome="unreachable"\} [1-9]/;
      await poll('an attempt has failed', async () => outcome.test(await gate.metrics()), { deadlineMs: 60_000 });
      expect(again.output()).toContain('no certificate was issued');
      expect((await served(gate.port)).serialNumber).toBe(before.serialNumber);
      expect((await gate.command('cert', 'status')).stdout).toMatch(/last error .*127\.0\.0\.1/);
      expect((await gate.command('cert', 'renew')).code).toBe(1);
    } finally {
      await again.stop();
    }
  });
});

describe('tls-alpn-01', () => {
  let pebble: Pebble;
  let gate: Gate;
  beforeAll(async () => {
    pebble = await startPebble();
    const own = `["127.0.0.1:${pebble.tlsPort}"]`;
    gate = await startGate({
      files: { 'pebble-ca.crt': pebble.directory.ca ?? '', '.htpasswd': await htpasswdLine(USER, PASSWORD) },
      config: ({ adminPort }) => `
listen_addresses: ${own}
admin_address: 127.0.0.1:${adminPort}
acme:
  directory_url: ${pebble.directory.url}
  ca_file: pebble-ca.crt
  domains: [${NAME}, 127.0.0.1]
  challenge: {type: tls-alpn-01}
allow: [127.0.0.9]
htpasswd_file: .htpasswd
upstreams: [{url: self}]
`,
    });
  });
  afterAll(async () => {
    await gate.stop();
    await pebble.stop();
  });

  const from = (localAddress: string): Promise<string> =>
    new Promise((resolve) => {
      const port = pebble.tlsPort;
      const options = { host: '127.0.0.1', port, localAddress, servername: NAME, rejectUnauthorized: false };
      const socket = connect(options, () => {
        resolve(socket.getPeerX509Certificate()?.issuer ?? '');
        socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? 'error');
      });
    });

  it('is answered on the port of the gate, for a CA that allow does not know', async () => {
    const issuer = await poll(
      'a certificate',
      async () => {
        const text = await from('127.0.0.9');
        return text.includes('Pebble') && text;
      },
      { deadlineMs: 60_000, everyMs: 100 },
    ).catch((error: unknown) => {
      throw new Error(gate.logs(), { cause: error });
    });
    expect(issuer).toContain('Pebble');
    expect(gate.logs()).toContain('certificate issued');
  });

  it('lets nobody else in from there', async () => {
    expect(await from('127.0.0.1')).toBe('ECONNRESET');
    expect(await gate.metrics()).toMatch(/promgate_refused_total\{reason="address_denied"\} [1-9]/);
  });
});

describe('a changed acme section', () => {
  it('brings another certificate with a reload, and one that cannot work leaves the old one', async () => {
    const pebble = await startPebble();
    const gate = await gateWith(pebble, `{listen: "127.0.0.1:${pebble.httpPort}"}`);
    try {
      const first = await awaitIssued(gate);
      const text = await readFile(gate.configFile, 'utf8');
      await writeFile(gate.configFile, text.replace(`[${NAME}, 127.0.0.1]`, `[other.example.com, ${NAME}]`));
      expect((await gate.command('reload')).code).toBe(0);
      const second = await poll(
        'the new names',
        async () => {
          const certificate = await served(gate.port);
          return certificate.checkHost('other.example.com') !== undefined && isIssued(certificate) && certificate;
        },
        { deadlineMs: 30_000 },
      );
      expect(second.serialNumber).not.toBe(first.serialNumber);
      await writeFile(gate.configFile, text.replace('acme:\n', 'acme:\n  state_dir: /dev/null/acme\n'));
      const refused = await gate.command('reload');
      expect(refused.code).toBe(1);
      expect((await served(gate.port)).serialNumber).toBe(second.serialNumber);
    } finally {
      await gate.stop();
      await pebble.stop();
    }
  });
});
