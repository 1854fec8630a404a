/** The same files before the loader of the exporter-toolkit, in a real promtool, and before ours. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { findProgram } from '../support/programs.ts';
import { SAME, STRICTER, WIDER } from './web-yml-table.ts';

const stricter = Object.values(STRICTER).flat();
const texts = [...SAME, ...stricter, ...WIDER];
let directory: string;
/** By the index of the text: whether it was taken. */
let toolkit: readonly boolean[];

const nameOf = (index: number) => `${String(index)}.yml`;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-web-yml-'));
  const certificate = ['-keyout', 'server.key', '-out', 'server.crt', '-days', '300', '-subj', '/CN=gate'];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...certificate];
  execFileSync('openssl', [...request, '-addext', 'subjectAltName=DNS:gate'], { cwd: directory, stdio: 'ignore' });
  for (const [index, text] of texts.entries()) writeFileSync(join(directory, nameOf(index)), text);
  const argv = ['check', 'web-config', ...texts.map((_, index) => nameOf(index))];
  const { stdout, stderr } = spawnSync(findProgram('promtool'), argv, { cwd: directory, encoding: 'utf8' });
  const said = stdout + stderr;
  toolkit = texts.map((_, index) => {
    const [, result] = new RegExp(`^${nameOf(index).replace('.', '\\.')} (SUCCESS|FAILED)`, 'm').exec(said) ?? [];
    expect(result, texts[index]).toBeDefined();
    return result === 'SUCCESS';
  });
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function isTaken(text: string): Promise<boolean> {
  const file = join(directory, nameOf(texts.indexOf(text)));
  return (await loadConfig(file, { generation: 1, listenAddresses: ['127.0.0.1:0'] })).ok;
}

const byToolkit = (text: string) => toolkit[texts.indexOf(text)];

describe('a web.yml', () => {
  it.each(SAME)('is taken or refused as by the toolkit: %j', async (text) => {
    expect(await isTaken(text)).toBe(byToolkit(text));
  });

  it.each(stricter)('is refused where the toolkit takes it, as documented: %j', async (text) => {
    expect([byToolkit(text), await isTaken(text)]).toEqual([true, false]);
  });

  it.each(WIDER)('is taken where the toolkit refuses it: %j', async (text) => {
    expect([byToolkit(text), await isTaken(text)]).toEqual([false, true]);
  });
});
