/**
 * The attack: read what @internals keeps off. An upstream with a path_prefix and without strip_prefix is judged by the
 * path below the prefix but sent the whole: with `path_prefix: /api/v1/status` the table would see `/config` (a page of
 * the UI) and Prometheus be asked for /api/v1/status/config, secrets included. Such a prefix is refused.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'promgate-prefix-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function problemsWith(upstream: string): Promise<string[]> {
  const file = join(directory, 'promgate.yml');
  await writeFile(
    file,
    `listen_addresses: ["127.0.0.1:0"]\nupstreams: [{url: "http://127.0.0.1:9090", ${upstream}}]\n`,
  );
  const { problems } = await loadConfig(file, { generation: 1 });
  return problems.map(({ message }) => message);
}

it.each(['/api/v1/status', '/api', '/-', '/debug/pprof', '/classic', '/federate', '/consoles'])(
  'refuses the path_prefix %s, which is a path of Prometheus itself',
  async (prefix) => {
    expect(await problemsWith(`path_prefix: ${prefix}`)).toEqual([
      `path_prefix ${JSON.stringify(prefix)} is a path of the upstream itself`,
    ]);
  },
);

it('takes a route prefix, a prefix that is stripped, and any prefix where there is no table', async () => {
  expect(await problemsWith('path_prefix: /prometheus')).toEqual([]);
  expect(await problemsWith('path_prefix: /api, strip_prefix: true')).toEqual([]);
  expect(await problemsWith('path_prefix: /metrics, kind: any')).toEqual([]);
});
