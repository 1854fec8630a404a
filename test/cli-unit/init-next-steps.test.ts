import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { layoutOf } from '../../src/cli/init/layout.ts';
import { JOBS_BEGIN, JOBS_END, nextSteps } from '../../src/cli/init/next-steps.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';
import { createInitFixture } from './init-fixture.ts';
import type { InitFixture, InitRun } from './init-fixture.ts';

let fixture: InitFixture;

beforeEach(() => {
  fixture = createInitFixture();
});

afterEach(() => {
  fixture.remove();
});

interface Job {
  readonly job_name: string;
  readonly metrics_path: string;
  readonly honor_labels?: boolean;
  readonly scheme: string;
  readonly tls_config?: Record<string, string>;
  readonly basic_auth?: Record<string, string>;
  readonly static_configs: { targets: string[]; labels: Record<string, string> }[];
}

function jobsText({ terminal }: InitRun): string {
  const [, after = ''] = terminal.stdout.join('\n').split(`${JOBS_BEGIN}\n`);
  return after.split(`${JOBS_END}`)[0] ?? '';
}

function jobs(run: InitRun): Job[] {
  return (parse(jobsText(run)) as { scrape_configs: Job[] }).scrape_configs;
}

/** The arguments of the printed curl line, as a shell hands them over. */
async function curlArguments({ terminal }: InitRun): Promise<string[]> {
  const line = /^curl .*$/m.exec(terminal.stdout.join('\n'))?.[0] ?? '';
  const { stdout } = await runProcess('sh', ['-c', `curl() { printf '%s\\n' "$@"; }; ${line}`]);
  return stdout.trimEnd().split('\n');
}

it('a gate of its own metrics: one job', async () => {
  const run = await fixture.init();
  expect(jobs(run)).toEqual([
    {
      job_name: 'promgate-site-a',
      metrics_path: '/metrics',
      scheme: 'https',
      tls_config: {
        ca_file: fixture.path('certs/ca.crt'),
        cert_file: fixture.path('certs/prometheus.crt'),
        key_file: fixture.path('certs/prometheus.key'),
      },
      static_configs: [{ targets: ['192.0.2.7:9095'], labels: { site: 'site-a' } }],
    },
  ]);
  expect((await curlArguments(run)).at(-1)).toBe('https://localhost:9095/metrics');
});

it('a gate before a Prometheus: federation, and the gate itself', async () => {
  fixture.machine.hasPrometheus = true;
  const run = await fixture.init();
  expect(jobs(run)).toMatchObject([
    { metrics_path: '/federate', honor_labels: true, params: { 'match[]': ['{__name__=~".+"}'] } },
    { metrics_path: '/promgate/metrics' },
  ]);
  expect((await curlArguments(run)).at(-1)).toBe('https://localhost:9095/api/v1/query?query=up');
});

it('promtool accepts the jobs, and the alternative with the password', async () => {
  fixture.machine.hasPrometheus = true;
  const printed = jobsText(await fixture.init());
  const withPassword = printed
    .replaceAll(/^ +(?:cert|key)_file:.*\n/gm, '')
    .replaceAll(/^( +)# ( *(?:basic_auth:|username:|password_file:))/gm, '$1$2');
  for (const text of [printed, withPassword]) {
    writeFileSync(fixture.path('central.yml'), text);
    const checked = await runProcess(findProgram('promtool'), ['check', 'config', fixture.path('central.yml')]);
    expect(checked.code, checked.stdout + checked.stderr).toBe(0);
  }
  expect((parse(withPassword) as { scrape_configs: Job[] }).scrape_configs[0]?.basic_auth).toEqual({
    username: 'prometheus',
    password_file: fixture.path('initial-password'),
  });
});

it('file names with blanks and quotes survive the shell and YAML', async () => {
  const directory = fixture.path(`it's "a" $HOME dir`);
  mkdirSync(directory);
  const run = await fixture.init({ directory });
  expect(await curlArguments(run)).toEqual([
    '--cacert',
    `${directory}/certs/ca.crt`,
    '--cert',
    `${directory}/certs/prometheus.crt`,
    '--key',
    `${directory}/certs/prometheus.key`,
    'https://localhost:9095/metrics',
  ]);
  expect(jobs(run)[0]?.tls_config?.['ca_file']).toBe(`${directory}/certs/ca.crt`);
});

it('a second run follows what the operator changed: address, prefix, authentication', async () => {
  await fixture.init();
  writeFileSync(
    fixture.path('promgate.yml'),
    `listen_addresses: ["[2001:db8::7]:9999"]
tls_server_config: {cert_file: certs/server.crt, key_file: certs/server.key}
htpasswd_file: .htpasswd
upstreams: [{url: "http://127.0.0.1:9090", path_prefix: /prom}]
`,
  );
  const run = await fixture.init();
  expect(await curlArguments(run)).toEqual([
    '--cacert',
    fixture.path('certs/ca.crt'),
    '--user',
    'prometheus',
    'https://[2001:db8::7]:9999/prom/api/v1/query?query=up',
  ]);
  expect(jobs(run)).toMatchObject([
    {
      metrics_path: '/prom/federate',
      basic_auth: { username: 'prometheus', password_file: fixture.path('initial-password') },
      static_configs: [{ targets: ['[2001:db8::7]:9999'] }],
    },
  ]);
});

it('the target is a name that the certificate has', async () => {
  await fixture.init();
  fixture.machine.addresses = ['198.51.100.1', '192.0.2.7'];
  expect(jobs(await fixture.init())[0]?.static_configs[0]?.targets).toEqual(['192.0.2.7:9095']);
  fixture.machine.addresses = [];
  expect(jobs(await fixture.init())[0]?.static_configs[0]?.targets).toEqual(['localhost:9095']);
});

it('a gate on a unix socket has nothing to print', async () => {
  writeFileSync(fixture.path('promgate.yml'), 'listen_addresses: ["unix:/run/promgate.sock"]\n');
  expect((await fixture.init()).terminal.stdout).toEqual([]);
});

it('names the command that serves, with the configuration where it is not in this folder', async () => {
  const run = await fixture.init();
  expect(run.terminal.stdout.join('\n')).toContain(
    `Once it serves (promgate run --config.file=${fixture.path('promgate.yml')}), ask it:`,
  );
  const credentials = { certificate: null, user: 'prometheus' };
  const here = nextSteps({
    layout: layoutOf('.'),
    access: {
      listen: { host: null, port: 9095 },
      trust: { kind: 'public' },
      names: [],
      upstreams: [
        {
          kind: 'exporter',
          prefix: '',
          scrape: credentials,
          otherUser: null,
          question: { path: '/metrics', credentials },
        },
      ],
    },
    hostName: 'site-a',
    addresses: [],
    hasPasswordFile: false,
  });
  expect(here?.split('\n')[0]).toBe('Once it serves (promgate run, or npm start in a checkout), ask it:');
});
