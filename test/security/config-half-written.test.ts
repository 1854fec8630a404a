/**
 * The attack: wait until the operator writes promgate.yml in place (`generator > promgate.yml`, an editor on NFS). The
 * file is cut off for a moment, and YAML that is cut off between two keys is YAML: the gate, which reloads by itself,
 * takes the half for the whole. What stood in the second half (identities, deny) no longer holds, and everybody with any
 * password may do everything. An empty file on a loopback listener even switches authentication off.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, USER, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const WRITING_MS = 900;

describe('a configuration file that is being written', () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await startScene({
      yaml: `upstreams: [{url: self}]\nidentities:\n  - {name: ${USER}, paths: [/nothing]}\n`,
    });
  });
  afterAll(() => scene.stop());

  it('is not taken for the whole', async () => {
    const { configFile } = scene.gate;
    const whole = await readFile(configFile, 'utf8');
    expect((await scene.ask('/metrics', '-u', `${USER}:${PASSWORD}`)).status).toBe(403);
    await writeFile(configFile, whole.slice(0, whole.indexOf('identities:')));
    const statuses: number[] = [];
    for (const end = Date.now() + WRITING_MS; Date.now() < end;) statuses.push((await scene.ask('/metrics')).status);
    await writeFile(configFile, whole);
    expect([...new Set(statuses)]).toEqual([403]);
  });
});
