// Compiles src/ to dist/ and joins it into dist/bundle/ when a source is newer than what was built from it, and removes
// what no source stands behind.
import { existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BUNDLE, bundle } from './bundle.mjs';
import { ROOT, ScriptError, runCommand } from './command.mjs';

const DIST = join(ROOT, 'dist');
/** Written by tsc; its time is the time of the build. */
const STAMP = join(DIST, '.tsbuildinfo');

function entriesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => ({
    path: join(entry.parentPath, entry.name),
    isFile: entry.isFile(),
  }));
}

function outputOf(source) {
  return join(DIST, relative(join(ROOT, 'src'), source).replace(/\.ts$/, '.js'));
}

export async function ensureBuilt() {
  const entries = entriesBelow(join(ROOT, 'src'));
  const sources = entries.filter(({ path, isFile }) => isFile && path.endsWith('.ts')).map(({ path }) => path);
  const bundled = existsSync(join(BUNDLE, 'main.js'));
  const complete = existsSync(STAMP) && bundled && sources.every((source) => existsSync(outputOf(source)));
  if (complete) {
    const builtAt = statSync(STAMP).mtimeMs;
    // Folders too: their time changes when a source is removed.
    const others = ['tsconfig.json', 'package-lock.json', 'scripts/bundle.mjs', 'scripts/bundled'];
    const inputs = [
      ...[...entries, ...entriesBelow(join(ROOT, 'scripts/bundled'))].map(({ path }) => path),
      ...others.map((name) => join(ROOT, name)),
    ];
    if (inputs.every((path) => statSync(path).mtimeMs <= builtAt)) return;
  } else {
    // tsc would believe its notes and leave the missing files out.
    rmSync(STAMP, { force: true });
  }
  console.error('promgate: building (tsc) …');
  const startedAt = new Date();
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { code, output } = await runCommand(process.execPath, [tsc, '-p', 'tsconfig.json', '--noEmitOnError']);
  if (code !== 0) throw new ScriptError(`the build failed\n${output.trimEnd()}`, 'npm run check');
  const expected = new Set(sources.map(outputOf));
  for (const { path, isFile } of entriesBelow(DIST)) {
    const isBundled = path.startsWith(BUNDLE);
    if (isFile && !isBundled && /\.js(?:\.map)?$/.test(path) && !expected.has(path.replace(/\.map$/, ''))) rmSync(path);
  }
  await bundle();
  utimesSync(STAMP, startedAt, startedAt);
}
