// Node 24 for the second pass of the tests: the platform package that the npm package `node` brings in, which holds the
// bare binary and runs no install script.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, ScriptError, runCommand, runNpm } from './command.mjs';

const VERSION = '24.21.0';

/** @returns {Promise<string>} the path of the binary */
export async function ensureNode24() {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(ROOT, '.cache', `node-${VERSION}`);
  const binary = join(folder, 'node_modules', name, 'bin/node');
  if (!existsSync(binary)) {
    console.log(`node24: installing ${name}@${VERSION} …`);
    mkdirSync(folder, { recursive: true });
    const quiet = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const { code, output } = await runNpm(['install', '--prefix', folder, ...quiet, `${name}@${VERSION}`]);
    if (code !== 0)
      throw new ScriptError(
        `cannot install ${name}@${VERSION}\n${output.trim()}`,
        'npm test -- --quick tests on this Node only',
      );
  }
  const { code, output } = await runCommand(binary, ['--version']);
  if (code !== 0 || output.trim() !== `v${VERSION}`) throw new ScriptError(`${binary} does not run: ${output.trim()}`);
  return binary;
}
