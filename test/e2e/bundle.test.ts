/** What operators start is dist/ joined into few files: the worker, and what is loaded only later, are found from there. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { curl } from '../support/curl.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/bundle/main.js');

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('the bundle', () => {
  test('is the command of the package', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest['bin']).toEqual({ promgate: 'dist/bundle/main.js' });
    const { stdout } = await runProcess(process.execPath, [MAIN, '--version']);
    expect(stdout.trim()).toBe(manifest['version']);
  });

  test('finds the worker that hashes passwords', async () => {
    const htpasswd = await runProcess(findProgram('htpasswd'), ['-niBC', '10', 'prom'], { input: 'right\n' });
    const gate: Gate = await startGate({
      main: MAIN,
      scheme: 'http',
      files: { htpasswd: htpasswd.stdout.trim() },
      config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
htpasswd_file: htpasswd
upstreams: [{url: self}]
`,
    });
    cleanups.push(() => gate.stop());
    const url = `http://127.0.0.1:${gate.port}/metrics`;
    expect((await curl('--user', 'prom:wrong', url)).status).toBe(401);
    expect((await curl('--user', 'prom:right', url)).status).toBe(200);
  });

  test('loads what issues certificates', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'promgate-bundle-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const init = await runProcess(process.execPath, [MAIN, 'init', directory]);
    expect(init.code, init.stderr).toBe(0);
    const check = await runProcess(process.execPath, [MAIN, 'check', join(directory, 'promgate.yml')]);
    expect(check.code).toBe(0);
  });
});
