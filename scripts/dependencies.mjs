// Installs the locked dependencies when they are missing or are not the ones that the lockfile names.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, ScriptError, runNpm } from './command.mjs';

function readPackages(file) {
  try {
    const packages = JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
    return new Map(Object.entries(packages).filter(([path]) => path !== ''));
  } catch {
    return null;
  }
}

/** npm writes node_modules/.package-lock.json last: it says what is there, and it is missing after a broken install. */
export function dependenciesAreInstalled() {
  const locked = readPackages('package-lock.json');
  const installed = readPackages('node_modules/.package-lock.json');
  if (locked === null)
    throw new ScriptError('package-lock.json is missing or damaged', 'git checkout package-lock.json');
  if (installed === null) return false;
  // Optional packages are there on the platforms they are made for.
  const missing = [...locked].some(
    ([path, { version, optional }]) => !optional && installed.get(path)?.version !== version,
  );
  const foreign = [...installed].some(([path, { version }]) => locked.get(path)?.version !== version);
  return !missing && !foreign;
}

export async function ensureDependencies() {
  if (dependenciesAreInstalled()) return;
  console.error('promgate: installing the locked dependencies (npm ci) …');
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const { code, output } = await runNpm(['ci', '--include=dev', ...quiet]);
  if (code === 0) return;
  throw new ScriptError(`npm ci failed with code ${code}\n${output.trimEnd()}`, 'npm needs to reach its registry once');
}
