/** The tour of the README and what `promgate init` prints, executed as they stand. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { promgate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';
import { findProgram, prometheusPrograms } from '../support/programs.ts';
import { runProcess, startProcess } from '../support/processes.ts';
import type { RunningProcess } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/cli/main.js');
const README = await readFile(join(ROOT, 'README.md'), 'utf8');

function fenced(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

describe('the README', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'promgate-readme-'));
    expect(await promgate(['init'], { cwd: directory })).toMatchObject({ code: 0 });
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('shows configurations that pass the check in the directory that init made', async () => {
    const configurations = fenced(README, 'yaml');
    expect(configurations.length).toBeGreaterThanOrEqual(2);
    for (const [index, text] of configurations.entries()) {
      const file = `readme-${index}.yml`;
      await writeFile(join(directory, file), text);
      const result = await promgate(['check', file], { cwd: directory });
      expect(result.stdout + result.stderr, text).toBe(`${file}: ok\n`);
    }
  });

  it('points to files that are there', async () => {
    for (const [, target = ''] of README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      await expect(readdirOrRead(join(ROOT, target)), target).resolves.toBeDefined();
    }
  });

  it('lists every command, and no other', async () => {
    const { stdout } = await promgate(['--help']);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)]
      .map((match) => match[1])
      .filter((name) => name !== 'help');
    const listed = [...README.matchAll(/^\| `promgate ([a-z]+)/gm)].map((match) => match[1]);
    expect(listed.sort()).toEqual(commands.sort());
  });

  it('comes with examples that pass the check', async () => {
    const names = await readdir(join(ROOT, 'examples'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      await writeFile(join(directory, name), await readFile(join(ROOT, 'examples', name)));
      expect(await promgate(['check', name], { cwd: directory }), name).toMatchObject({ code: 0, stderr: '' });
    }
  });
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
    if (withPrometheus) {
      servers.push(
        await startPrometheus({
          port: 9090,
          scrapeConfigs: '- job_name: self\n  static_configs: [{targets: ["127.0.0.1:${port}"]}]',
        }),
      );
    }
    expect(await promgate(['init'], { cwd: directory })).toMatchObject({ code: 0 });
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
