/** `promgate init` beside a configuration that it did not write: what it prints is executed as it stands. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createAuthority } from '../support/certificates.ts';
import type { Authority } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';
import { freePort } from '../support/free-port.ts';
import { promgate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess, startProcess } from '../support/processes.ts';
import type { RunningProcess } from '../support/processes.ts';

interface Job {
  readonly metrics_path: string;
  readonly scheme: string;
  readonly params?: Record<string, string[]>;
  readonly tls_config?: { readonly ca_file?: string; readonly cert_file?: string; readonly key_file?: string };
  readonly basic_auth?: { readonly username: string; readonly password_file: string };
  readonly static_configs: { readonly targets: string[] }[];
}

const PASSWORD = 'right';
const line = (user: string) => `${user}:${hashSync(PASSWORD, 4)}\n`;

let directory: string;
let ca: Authority;
const started: RunningProcess[] = [];
beforeAll(() => {
  ca = createAuthority('The CA of the house');
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.stop()));
  await rm(directory, { recursive: true, force: true });
});
afterAll(() => {
  ca.remove();
});

/** Writes the files, runs `init`, starts the gate. */
async function serve(config: (port: number) => string, files: Record<string, string> = {}) {
  directory = await mkdtemp(join(tmpdir(), 'promgate-steps-'));
  const port = await freePort();
  const adminPort = await freePort();
  const text = `${config(port)}\nadmin_address: 127.0.0.1:${String(adminPort)}\n`;
  for (const [name, content] of Object.entries({ ...files, 'promgate.yml': text })) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content, { mode: 0o600 });
  }
  const init = await promgate(['init'], { cwd: directory });
  expect(init.code, init.stderr).toBe(0);
  const main = join(import.meta.dirname, '../../dist/bundle/main.js');
  const gate = startProcess(process.execPath, [main, 'run'], { cwd: directory });
  started.push(gate);
  await poll('the gate is ready', async () => {
    const answer = await fetch(`http://127.0.0.1:${String(adminPort)}/-/ready`).catch(() => null);
    return answer?.status === 200;
  });
  return { init, port };
}

/** The printed curl line, with the password that it would ask for. */
async function runCurlLine(stdout: string): Promise<string> {
  const command = /^curl .*$/m.exec(stdout)?.[0] ?? expect.fail(`no curl line:\n${stdout}`);
  const script = `curl() { '${findProgram('curl')}' -q --silent --show-error --noproxy '*' --output /dev/null --write-out '%{http_code}' "$@"; }; ${command}`;
  const told = await runProcess(findProgram('bash'), [
    '-c',
    script.replace(/--user (\S+)/, `--user "$(echo $1):${PASSWORD}"`),
  ]);
  return told.stdout + told.stderr;
}

function jobsOf(stdout: string): Job[] {
  const [, after = ''] = stdout.split(/^# --- begin.*\n/m);
  return (parse(after) as { scrape_configs: Job[] }).scrape_configs;
}

/** Asks as Prometheus would for this job, by curl: the name is kept, wherever it points. */
async function scrape(job: Job, port: number): Promise<number> {
  const { tls_config: tls = {}, basic_auth: basic } = job;
  const query = job.params?.['match[]']?.map((match) => `match[]=${encodeURIComponent(match)}`).join('&') ?? '';
  const url = `${job.scheme}://${job.static_configs[0]?.targets[0] ?? ''}${job.metrics_path}?${query}`;
  const answer = await curl(
    '--globoff',
    ...['--connect-to', `::127.0.0.1:${String(port)}`],
    ...(tls.ca_file === undefined ? [] : ['--cacert', tls.ca_file]),
    ...(tls.cert_file === undefined ? [] : ['--cert', tls.cert_file, '--key', tls.key_file ?? '']),
    ...(basic === undefined ? [] : ['--user', `${basic.username}:${PASSWORD}`]),
    url,
  );
  expect(answer.stderr).toBe('');
  return answer.status;
}

const server = (...sans: string[]) => ca.issue({ name: 'gate', sans, purpose: 'server' });
const SELF = 'upstreams: [{url: self}]';
const at = (port: number) => `listen_addresses: ["127.0.0.1:${String(port)}"]`;

describe('the lines that init prints work as they stand', () => {
  it('plain HTTP, a user of the file', async () => {
    const { init, port } = await serve(
      (number) => `${at(number)}\nbasic_auth_users: {${line('viewer').trim().replace(':', ': "')}"}\n${SELF}`,
    );
    expect(await runCurlLine(init.stdout)).toBe('200');
    const jobs = jobsOf(init.stdout);
    expect(jobs.map(({ scheme, basic_auth: basic }) => [scheme, basic?.username])).toEqual([['http', 'viewer']]);
    for (const job of jobs) expect(await scrape(job, port)).toBe(200);
  });

  it('a certificate for another name of a CA that is at hand, users in another file', async () => {
    const { cert, key } = server('DNS:gate.example.org', 'DNS:localhost.example.org');
    const { init, port } = await serve(
      (number) => `listen_addresses: [":${String(number)}"]
tls_server_config: {cert_file: tls/gate.pem, key_file: tls/gate.key, client_ca_file: tls/ca.pem, client_auth_type: VerifyClientCertIfGiven}
htpasswd_file: users.htpasswd
authenticate: either
${SELF}`,
      { 'tls/gate.pem': cert, 'tls/gate.key': key, 'tls/ca.pem': ca.cert, 'users.htpasswd': line('grafana') },
    );
    expect(init.stdout).toContain('https://gate.example.org:');
    expect(await runCurlLine(init.stdout)).toBe('200');
    for (const job of jobsOf(init.stdout)) {
      expect(job.basic_auth?.username).toBe('grafana');
      expect(await scrape(job, port)).toBe(200);
    }
    expect(init.stderr).toContain(`promgate passwd ${join(directory, 'users.htpasswd')} add grafana`);
    expect(init.stdout + init.stderr).not.toMatch(/\.htpasswd add prometheus|--user prometheus/);
  });

  it('a wildcard, a certificate that signed itself, and an identity that may not ask the API', async () => {
    const cert = join(tmpdir(), `promgate-self-${String(process.pid)}`);
    const subject = ['-subj', '/CN=gate', '-addext', 'subjectAltName=DNS:*.example.org'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '5'];
    const output = ['-keyout', `${cert}.key`, '-out', `${cert}.crt`];
    expect((await runProcess(findProgram('openssl'), ['req', '-x509', ...curve, ...subject, ...output])).code).toBe(0);
    const { init, port } = await serve(
      (number) => `${at(number)}
tls_server_config: {cert_file: gate.crt, key_file: gate.key}
htpasswd_file: .htpasswd
identities:
  - {name: ui, password_users: [anna], paths: ['@ui']}
  - {name: centre, password_users: [zeno], paths: ['@scrape']}
${SELF}`,
      {
        'gate.crt': await readFile(`${cert}.crt`, 'utf8'),
        'gate.key': await readFile(`${cert}.key`, 'utf8'),
        '.htpasswd': line('anna') + line('zeno'),
      },
    );
    expect(await runCurlLine(init.stdout)).toBe('200');
    const [job = expect.fail('no job')] = jobsOf(init.stdout);
    expect(job.basic_auth?.username).toBe('zeno');
    expect(await scrape(job, port)).toBe(200);
  });

  it('both a certificate and a password', async () => {
    const { init, port } = await serve(
      (number) => `${at(number)}
tls_server_config: {cert_file: certs/server.crt, key_file: certs/server.key, client_ca_file: certs/ca.crt}
htpasswd_file: .htpasswd
authenticate: both
${SELF}`,
      { '.htpasswd': line('prometheus') },
    );
    const before = init.stdout;
    expect(await runCurlLine(before)).toBe('200');
    for (const job of jobsOf(before)) expect(await scrape(job, port)).toBe(200);
  });

  it('without authentication', async () => {
    const { init, port } = await serve((number) => `${at(number)}\nauthenticate: none\n${SELF}`);
    expect(await runCurlLine(init.stdout)).toBe('200');
    for (const job of jobsOf(init.stdout)) expect(await scrape(job, port)).toBe(200);
  });

  it('prints no line for whom the gate refuses, nor one that cannot be verified', async () => {
    const other = createAuthority('Unknown here');
    const { cert, key } = other.issue({ name: 'gate', sans: ['DNS:gate.example.org'], purpose: 'server' });
    other.remove();
    const { init } = await serve(
      (number) => `${at(number)}
tls_server_config: {cert_file: gate.crt, key_file: gate.key}
htpasswd_file: .htpasswd
allow: [203.0.113.7]
${SELF}`,
      { 'gate.crt': cert, 'gate.key': key, '.htpasswd': line('anna') },
    );
    expect(init.stdout).not.toContain('curl');
    expect(init.stdout).toContain('Unknown here issued the server certificate');
  });
});

describe('init beside a configuration', () => {
  it('that asks a CA by ACME names its domain and scheme', async () => {
    directory = await mkdtemp(join(tmpdir(), 'promgate-steps-'));
    await writeFile(
      join(directory, 'promgate.yml'),
      `htpasswd_file: users
acme: {domains: [gate.example.org], challenge: {type: http-01}}
upstreams: [{url: "http://127.0.0.1:9"}]
`,
    );
    await writeFile(join(directory, 'users'), line('grafana'), { mode: 0o600 });
    const { stdout, code } = await promgate(['init'], { cwd: directory });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^curl --user grafana --connect-to \S+ 'https:\/\/gate\.example\.org:9095\//m);
    expect(jobsOf(stdout)[0]).toMatchObject({
      scheme: 'https',
      static_configs: [{ targets: ['gate.example.org:9095'] }],
    });
    expect(jobsOf(stdout)[0]?.tls_config).toBeUndefined();
  });

  it('that does not load says so and prints no line', async () => {
    directory = await mkdtemp(join(tmpdir(), 'promgate-steps-'));
    await writeFile(join(directory, 'promgate.yml'), 'upstreams: [{url: self}]\nkye: 1\n');
    const { stdout, stderr } = await promgate(['init'], { cwd: directory });
    expect(stdout).toBe('');
    expect(stderr).toContain('promgate check promgate.yml');
  });
});
