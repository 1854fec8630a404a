/** The bench starts what it measures, measures nothing that does not refuse strangers, and leaves nothing behind. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkBody, checkRefusals } from '../../bench/checks.ts';
import { chooseCores } from '../../bench/cores.ts';
import { withLab } from '../../bench/lab.ts';
import { scrapeFor } from '../../bench/load.ts';
import { startGate } from '../../bench/peers/gate.ts';
import { runProcess } from '../support/processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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

test('npm run bench prints a table with its goals, and --quick writes nothing', async () => {
  const page = new URL('../../docs/benchmarks.md', import.meta.url);
  const before = await readFile(page, 'utf8');
  const argv = ['node_modules/tsx/dist/cli.mjs', 'bench/main.ts', '--quick', '--only=start-up'];
  const { code, stdout, stderr } = await runProcess(process.execPath, argv, { cwd: ROOT, deadlineMs: 50_000 });
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\| ≤ 350 ms +\| [\d ]+ ms +\| (?:yes|\*\*no\*\*) +\|$/m);
  expect(stdout).toMatch(/^\| promgate +\| [\d ]+ ms +\| [\d ]+ ms +\|$/m);
  expect(await readFile(page, 'utf8')).toBe(before);
});
