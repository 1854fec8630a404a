/** The facts of the image that can be seen without building it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** One list of instructions a stage; continued lines are joined, comments left out. */
function readStages(): Instruction[][] {
  const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replace(/\\\n\s*/g, '');
  const stages: Instruction[][] = [];
  for (const line of text.split('\n')) {
    const [, word, rest] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (word === undefined || rest === undefined) continue;
    if (word === 'FROM') stages.push([]);
    stages.at(-1)?.push({ word, rest });
  }
  return stages;
}

const stages = readStages();
const final = stages.at(-1) ?? [];
const all = (word: string, stage = final): string[] =>
  stage.filter((item) => item.word === word).map(({ rest }) => rest);
/** The lines of .dockerignore that let something through. */
const admitted = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1));

describe('the image', () => {
  it('is on Node 24 in every stage', () => {
    expect(stages.length).toBeGreaterThan(1);
    for (const stage of stages) expect(all('FROM', stage)[0]).toMatch(/^node:24-[a-z]+-slim\b/);
  });

  it('has the dependencies of production alone in its last stage', () => {
    const copied = all('COPY').filter((rest) => rest.includes('node_modules'));
    expect(copied).toEqual(['--from=dependencies /build/node_modules node_modules']);
    const source = stages.find((stage) => all('FROM', stage)[0]?.endsWith(' AS dependencies')) ?? [];
    expect(all('RUN', source)).toEqual(['npm ci --omit=dev']);
  });

  it('does not run as root', () => {
    const user = all('USER').at(-1) ?? '';
    expect(user).toMatch(/^\d+:\d+$/);
    expect(user.startsWith('0')).toBe(false);
    const order = final.map(({ word }) => word);
    expect(order.lastIndexOf('USER')).toBeGreaterThan(order.lastIndexOf('RUN'));
  });

  it('keeps the debugger of Node closed', () => {
    expect(all('ENV').join(' ')).toMatch(/NODE_OPTIONS="[^"]*--disable-sigusr1/);
  });

  it('serves the mounted configuration, and asks the gate itself whether it is healthy', () => {
    expect(all('EXPOSE')).toEqual(['9095']);
    expect(JSON.parse(all('ENTRYPOINT')[0] ?? '')).toEqual(['promgate']);
    const command = JSON.parse(all('CMD')[0] ?? '') as string[];
    expect(command).toEqual(['run', '--config.file=/etc/promgate/promgate.yml']);
    const check = JSON.parse(/CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0] ?? '')?.[1] ?? '') as string[];
    expect(check).toEqual(['promgate', 'healthcheck', command[1]]);
  });

  it('has the command that the package names on its PATH', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { bin: { promgate: string } };
    expect(all('WORKDIR')[0]).toBe('/usr/local/lib/promgate');
    const [run = ''] = all('RUN');
    expect(run).toContain(`ln -s /usr/local/lib/promgate/${manifest.bin.promgate} /usr/local/bin/promgate`);
  });

  it('has a place that its user may write, for what the gate renews', () => {
    const [user = '', group = ''] = all('USER')[0]?.split(':') ?? [];
    expect(all('RUN')[0]).toContain(`install -d -m 0700 -o ${user} -g ${group} /var/lib/promgate`);
    expect(all('VOLUME')).toEqual(['/var/lib/promgate']);
  });

  it('is built from what exists and .dockerignore admits', () => {
    const wanted = stages.flatMap((stage) => all('COPY', stage)).filter((rest) => !rest.startsWith('--from'));
    const files = wanted.flatMap((rest) => rest.split(' ').slice(0, -1));
    expect(files).toContain('src');
    for (const file of files) {
      expect(existsSync(join(ROOT, file)), file).toBe(true);
      expect(admitted).toContain(file);
    }
  });

  it('is built without the keys, passwords and configuration of the folder', () => {
    const [first] = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => !line.startsWith('#'));
    expect(first).toBe('*');
    expect(admitted.filter((name) => /cert|htpasswd|promgate\.yml|password|^\.$|\*/.test(name))).toEqual([]);
  });
});
