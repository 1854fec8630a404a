/** The Nodes that are measured: the one that runs this, and Node 24 where the tests have put it. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../.cache', import.meta.url));

export interface NodeProgram {
  readonly name: string;
  readonly path: string;
}

export function nodes(): readonly NodeProgram[] {
  const own = { name: `Node.js ${process.versions.node}`, path: process.execPath };
  const platform = `node-${process.platform}-${process.arch}`;
  const others = (existsSync(CACHE) ? readdirSync(CACHE) : [])
    .filter((name) => /^node-\d/.test(name))
    .map((name) => ({
      name: `Node.js ${name.slice('node-'.length)}`,
      path: join(CACHE, name, 'node_modules', platform, 'bin/node'),
    }))
    .filter(({ name, path }) => name !== own.name && existsSync(path));
  return [own, ...others];
}
