/** The tour of the README and what `promgate init` prints, executed as they stand. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_COST, HIGHEST_COST } from '../../src/cli/new-password.ts';
import { curl } from '../support/curl.ts';
import { freePort } from '../support/free-port.ts';
import { promgate, promgateInit } from '../support/gate.ts';
import { poll } from '../support/poll.ts';
import { findProgram, prometheusPrograms } from '../support/programs.ts';
import { runProcess, startProcess } from '../support/processes.ts';
import type { RunningProcess } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/bundle/main.js');
const README = await readFile(join(ROOT, 'README.md'), 'utf8');
const EXAMPLES = await readdir(join(ROOT, 'examples'));
/** Pages whose links are followed. */
const PAGES = ['README.md', 'SECURITY.md', 'certs/README.md', 'deploy/README.md'];

function fenced(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

/** What check says beside whom it looked as. */
function problemsIn(stderr: string): string {
  return stderr.replace(/^promgate: (?:looked as .*|hint: root reads .*)\n/gm, '');
}

describe('the README', () => {
  let directory: string;
  const started: RunningProcess[] = [];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'promgate-readme-'));
    expect(await promgateInit(directory)).toMatchObject({ code: 0 });
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((child) => child.stop()));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('shows configurations that pass the check in the directory that init made', async () => {
    const configurations = fenced(README, 'yaml');
    expect(configurations.length).toBeGreaterThan(0);
    for (const [index, text] of configurations.entries()) {
      const file = `readme-${index}.yml`;
      await writeFile(join(directory, file), text);
      const result = await promgate(['check', file], { cwd: directory });
      expect(result.stdout + problemsIn(result.stderr), text).toBe(`${file}: ok\n`);
    }
  });

  it.each(PAGES)('and the pages beside it point to files that are there: %s', async (page) => {
    const text = await readFile(join(ROOT, page), 'utf8');
    const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets) {
      await expect(readdirOrRead(join(ROOT, dirname(page), target)), target).resolves.toBeDefined();
    }
  });

  it('explains a request of the configuration that it shows, down to what goes upstream', async () => {
    const [configuration = ''] = fenced(README, 'yaml');
    await writeFile(join(directory, 'explained.yml'), configuration);
    const line = fenced(README, 'sh').find((text) => text.includes('promgate explain')) ?? '';
    const script = `promgate() { '${process.execPath}' '${MAIN}' "$@" --config.file=explained.yml; }; ${line}`;
    const told = await runProcess(findProgram('bash'), ['-c', script], { cwd: directory });
    expect(told, told.stderr).toMatchObject({ code: 0 });
    expect(told.stdout).toMatch(/it is central[^]*GET \/federate\?match\[\]=up[^]*forwarded/);
  });

  it('names the intervals of the source, and a default cost that passwd has', async () => {
    const source = async (name: string) => readFile(join(ROOT, 'src', name), 'utf8');
    expect(README).toContain('Every 15 seconds');
    expect(await source('observe/upstream-up.ts')).toContain('const INTERVAL_MS = 15_000;');
    expect(README).toContain('every 5 minutes');
    expect(await source('observe/bypass.ts')).toContain('const INTERVAL_MS = 5 * 60_000;');
    const { stdout } = await promgate(['passwd', '--help']);
    expect(stdout).toContain(`from ${DEFAULT_COST} to ${HIGHEST_COST} (default: ${DEFAULT_COST})`);
  });

  it('lists every command, and no other', async () => {
    const { stdout } = await promgate(['--help']);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)]
      .map((match) => match[1])
      .filter((name) => name !== 'help');
    const listed = new Set([...README.matchAll(/^\| `promgate ([a-z]+)/gm)].map((match) => match[1]));
    expect([...listed].sort()).toEqual(commands.sort());
  });

  it('says what a stranger gets: 401 whatever the path and method, 400 for what is malformed', async () => {
    const gate = await startExample(await readFile(join(directory, 'promgate.yml'), 'utf8'));
    const ask = (path: string, ...argv: string[]) =>
      curl('--cacert', join(directory, 'certs/ca.crt'), '--path-as-is', ...argv, gate.url + path);
    for (const path of ['/metrics', '/federate', '/nope', '/-/quit', '/api/v1/admin/tsdb/snapshot']) {
      expect(await ask(path), path).toMatchObject({ status: 401, httpVersion: '2' });
      expect(await ask(path, '--data', 'x=1'), path).toMatchObject({ status: 401 });
    }
    expect(await ask('/a/../metrics')).toMatchObject({ status: 400 });
    expect(await ask('/metrics', '--request', 'GET', '--data', 'x=1')).toMatchObject({ status: 400 });
  });

  it('shows a rotation and a replacement of a password that the running gate follows', async () => {
    const gate = await startExample(await readFile(join(directory, 'promgate.yml'), 'utf8'));
    const status = async (password: string): Promise<number> => {
      const credentials = ['--cacert', join(directory, 'certs/ca.crt'), '--user', `prometheus:${password}`];
      return (await curl(...credentials, `${gate.url}/metrics`)).status;
    };
    // The lines as they stand in the README; the comment behind is the shell's.
    const steps = fenced(README, 'sh').find((text) => text.includes('--keep-old')) ?? '';
    const [add = '', replace = ''] = steps.split('\n');
    const shell = async (line: string, password: string): Promise<string> => {
      const script = `promgate() { '${process.execPath}' '${MAIN}' "$@"; }; ${line}`;
      const done = await runProcess(findProgram('bash'), ['-c', script], { cwd: directory, input: `${password}\n` });
      expect(done, line).toMatchObject({ code: 0 });
      return done.stdout;
    };
    const first = (await readFile(join(directory, 'initial-password'), 'utf8')).trim();
    expect(await shell(add, 'the next one')).toContain('2 valid passwords');
    await poll('the new password is right', async () => (await status('the next one')) === 200);
    expect(await status(first)).toBe(200);
    const promised = /"(1 old password removed)"/.exec(replace)?.[1] ?? expect.fail('the README promises no message');
    expect(await shell(replace, 'the next one')).toContain(promised);
    await poll('the old password is wrong', async () => (await status(first)) === 401);
    expect(await status('the next one')).toBe(200);
    expect(await shell(replace.replace(/#.*/, ''), 'after the loss')).toContain('changed the password');
    await poll('the replacement is right', async () => (await status('after the loss')) === 200);
  });

  describe.each(EXAMPLES)('the example %s', (name) => {
    it('says where to copy it to, and there passes the check, serves, and is healthy for its probe', async () => {
      const text = await readFile(join(ROOT, 'examples', name), 'utf8');
      expect(text).toContain('# Copy it over promgate.yml in the folder that `promgate init` made');
      const folder = await mkdtemp(join(directory, 'example-'));
      expect(await promgateInit(folder)).toMatchObject({ code: 0 });
      await writeFile(join(folder, 'promgate.yml'), text);
      const checked = await promgate(['check'], { cwd: folder });
      expect(checked).toMatchObject({ code: 0, stdout: 'promgate.yml: ok\n' });
      expect(problemsIn(checked.stderr)).toBe('');
      const gate = await startExample(text, folder);
      expect(gate.logs()).not.toContain('level=error');
    });
  });

  /** Runs in the folder that init made, on ports of our own, and waits with the probe that examples/sidecar.yml shows. */
  async function startExample(text: string, folder = directory): Promise<{ url: string; logs: () => string }> {
    const [port, adminPort] = [await freePort(), await freePort()];
    const own = `${text.replace(/^admin_address:.*$/m, '')}\nadmin_address: 127.0.0.1:${adminPort}\n`;
    await writeFile(join(folder, 'running.yml'), own);
    const argv = [MAIN, 'run', '--config.file=running.yml', `--web.listen-address=127.0.0.1:${port}`];
    const gate = startProcess(process.execPath, argv, { cwd: folder });
    started.push(gate);
    await poll('the gate is ready', async () => {
      if (gate.exit() !== null) throw new Error(gate.output());
      return (await promgate(['healthcheck', '--config.file=running.yml'], { cwd: folder })).code === 0;
    });
    return { url: `https://localhost:${port}`, logs: () => gate.output() };
  }
});

async function readdirOrRead(path: string): Promise<unknown> {
  return readdir(path).catch(() => readFile(path));
}

describe.each([
  { scene: 'without a Prometheus on this host', withPrometheus: false },
  { scene: 'with a Prometheus on this host', withPrometheus: true },
])('what init prints, $scene', ({ withPrometheus }) => {
  const started: RunningProcess[] = [];
  const servers: Prometheus[] = [];
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'promgate-init-'));
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((child) => child.stop()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('works as it stands: the curl line in a shell, the jobs in a real central Prometheus', async () => {
    const prometheus = withPrometheus
      ? await startPrometheus({
          scrapeConfigs: '- job_name: self\n  static_configs: [{targets: ["127.0.0.1:${port}"]}]',
        })
      : null;
    if (prometheus !== null) servers.push(prometheus);
    expect(await promgateInit(directory, prometheus?.port)).toMatchObject({ code: 0 });
    // A port of our own, as an operator would choose one: what init prints follows the file.
    const [port, adminPort] = [await freePort(), await freePort()];
    const file = join(directory, 'promgate.yml');
    const text = (await readFile(file, 'utf8')).replace('":9095"', `":${port}"`);
    await writeFile(file, `${text}admin_address: 127.0.0.1:${adminPort}\n`);
    const before = await readdir(directory);
    const printed = await promgate(['init'], { cwd: directory });
    expect(printed).toMatchObject({ code: 0 });
    expect(await readdir(directory)).toEqual(before);

    const gate = startProcess(process.execPath, [MAIN, 'run'], { cwd: directory });
    started.push(gate);
    await poll('the gate is ready', async () => (await fetch(`http://127.0.0.1:${adminPort}/-/ready`)).ok);

    const curlLine = printed.stdout.split('\n').find((line) => line.startsWith('curl ')) ?? '';
    const answer = await runProcess(findProgram('bash'), ['-c', curlLine]);
    expect(answer, curlLine).toMatchObject({ code: 0 });
    expect(answer.stdout).toContain(withPrometheus ? '"status":"success"' : 'promgate_build_info');

    // As it stands, but for the host: tests talk to loopback only.
    const jobs = (/scrape_configs:\n(.*?)\n# --- end/s.exec(printed.stdout)?.[1] ?? '').replaceAll(
      /targets: \["[^"]*:/g,
      'targets: ["127.0.0.1:',
    );
    const central = await startPrometheus({
      program: prometheusPrograms().at(-1)?.path ?? findProgram('prometheus'),
      scrapeConfigs: jobs,
    });
    servers.push(central);
    await central.waitFor('promgate_build_info');
    if (withPrometheus) await central.waitFor('prometheus_build_info{site!=""}');
    expect(await central.query('up == 0')).toEqual([]);

    gate.signal('SIGTERM');
    expect(await gate.exited).toEqual({ code: 0, signal: null });
  });
});
