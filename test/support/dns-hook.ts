/** A program for dns-01 in a directory of its own, and a challenge for it. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Challenge } from '../../src/tls/acme/contract.ts';

export interface HookDirectory {
  readonly path: string;
  /** Writes the program, a shell script, and gives its path. */
  hook(script: string): Promise<string>;
  remove(): Promise<void>;
}

export async function createHookDirectory(): Promise<HookDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'promgate-hook-'));
  return {
    path,
    async hook(script) {
      const file = join(path, 'hook');
      await writeFile(file, `#!/bin/sh\n${script}\n`);
      await chmod(file, 0o755);
      return file;
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

export function dnsChallenge(identifier: string): Challenge {
  return { type: 'dns-01', identifier, token: 'tok', keyAuthorization: 'tok.thumb' };
}
