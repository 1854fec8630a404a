/**
 * The bench starts what it measures, measures nothing that does not refuse strangers, believes no load that did not arrive,
 * and leaves nothing behind.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkBody, checkRefusals } from '../../bench/checks.ts';
import { chooseCores } from '../../bench/cores.ts';
import { withLab } from '../../bench/lab.ts';
import { scrapeFor } from '../../bench/load.ts';
import { startGate } from '../../bench/peers/gate.ts';
import { runProcess } from '../support/processes.ts';

/** Until it is given up; nothing is measured by it. */
const PATIENCE_MS = 240_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const bench = (options: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  runProcess(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'bench/main.ts', ...options], {
    cwd: ROOT,
    deadlineMs: PATIENCE_MS - 10_000,
    environment,
  });

test('a gate in the lab refuses a wrong password and gives the right one the whole page, or is not measured', async () => {
  const ended = await withLab({ cores: chooseCores(), quick: true, say: () => undefined }, async (lab) => {
    const gate = await startGate(lab);
    const url = `${gate.url}/federate?page=two`;
    await checkRefusals(lab, gate.name, url);
    await checkBody(lab, gate.name, url, { body: lab.pages.two });
    await checkBody(lab, gate.name, `${gate.url}/federate?page=exporter`, {
      body: lab.pages.exporter,
      acceptEncoding: 'gzip',
    });
    await expect(checkBody(lab, gate.name, url, { body: lab.pages.exporter })).rejects.toThrow('with 2 bytes, not');
    const { latencies, failures } = await scrapeFor({ url, authorization: lab.authorization, agent: lab.agent() }, 0.2);
    expect(latencies.length).toBeGreaterThan(0);
    expect(failures).toBe(0);
    await gate.stop();
    return gate.process.exited();
  });
  expect(ended).toBe(true);
});

test(
  'npm run bench prints a table with its goals, and --quick writes nothing',
  async () => {
    const page = new URL('../../docs/benchmarks.md', import.meta.url);
    const before = await readFile(page, 'utf8');
    const { code, stdout, stderr } = await bench(['--quick', '--only=start-up']);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^\| ≤ 350 ms +\| [\d ]+ ms +\| (?:yes|\*\*no\*\*) +\|$/m);
    expect(stdout).toMatch(/^\| promgate +\| [\d ]+ ms +\| [\d ]+ ms +\|$/m);
    expect(await readFile(page, 'utf8')).toBe(before);
  },
  PATIENCE_MS,
);

test.each([
  ['panics', 'echo "PANIC: unprotected error" >&2; exit 1', 'wrk ended with code 1'],
  ['says that it has guessed and has not', 'echo "answered 401 5000"', ': 5000 at the load, 0 at the server'],
  ['has guessed nothing', 'exit 0', 'guesses that promgate has answered: 0, which is less than'],
])(
  'a row whose load tool %s is printed as failed, and the bench ends with code 1',
  async (_what, script, why) => {
    const folder = await mkdtemp(join(tmpdir(), 'promgate-no-load-'));
    try {
      await writeFile(join(folder, 'wrk'), `#!/bin/sh\n${script}\n`);
      await chmod(join(folder, 'wrk'), 0o755);
      const PATH = [folder, process.env['PATH']].join(delimiter);
      const { code, stdout, stderr } = await bench(['--quick', '--only=flood'], { PATH });
      expect(code, stderr).toBe(1);
      expect(stdout).toContain('## Flood of wrong passwords');
      expect(stdout).toMatch(/^\*\*Failed, so there are no figures:\*\* /m);
      expect(stdout).toContain(why);
      expect(stdout).not.toContain('| promgate');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  PATIENCE_MS,
);
