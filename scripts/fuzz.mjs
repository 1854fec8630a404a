// `npm run fuzz [-- --minutes=10] [-- --seed=N] [-- FILE…]`: the property tests over and over, each round with another
// seed. A counterexample is printed with its seed and path, and ends the run with code 1. `--seed` is one round with that.
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, ScriptError, printError, runCommand } from './command.mjs';
import { counterexamples } from './counterexamples.mjs';

const REPORT = join(ROOT, '.cache/reports/fuzz.json');
const ROUND_MS = 20 * 60_000;

/** Every test file with properties. What needs real servers is left to `npm test`. */
function propertyTests(filters) {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true })
    .map((name) => `test/${name}`)
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('test/e2e/'))
    .filter((name) => readFileSync(join(ROOT, name), 'utf8').includes("/support/property.ts'"));
  const chosen = files.filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)));
  if (chosen.length === 0) throw new ScriptError(`no property test matches ${filters.join(' ')}`);
  return chosen.sort();
}

/** @returns {Promise<boolean>} whether every property held */
async function round(seed, files) {
  rmSync(REPORT, { force: true });
  const argv = ['node_modules/vitest/vitest.mjs', 'run', '--project=unit', '--reporter=json', `--outputFile=${REPORT}`];
  const { code, output, timedOut } = await runCommand(process.execPath, [...argv, ...files], {
    deadlineMs: ROUND_MS,
    env: { CI: 'true', NO_COLOR: '1', PROMGATE_FUZZ_SEED: String(seed) },
  });
  if (timedOut) throw new ScriptError(`seed ${seed}: not done after ${ROUND_MS / 60_000} minutes`);
  if (code === 0) return true;
  let report;
  try {
    report = JSON.parse(readFileSync(REPORT, 'utf8'));
  } catch {
    throw new ScriptError(`seed ${seed}: the tests did not run\n${output.trim()}`);
  }
  for (const { file, test, text } of counterexamples(report, ROOT)) {
    console.log(`\n${file}: ${test}\n${text}\nagain: npm run fuzz -- --seed=${seed} ${file}`);
  }
  return false;
}

async function fuzz() {
  const { values, positionals } = parseArgs({
    options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } },
    allowPositionals: true,
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new ScriptError(`--minutes=${values.minutes} is not a positive number`);
  if (values.seed !== undefined && !/^-?\d{1,10}$/.test(values.seed)) {
    throw new ScriptError(`--seed=${values.seed} is not a whole number of 32 bits`);
  }
  process.chdir(ROOT);
  mkdirSync(join(ROOT, '.cache/reports'), { recursive: true });
  const files = propertyTests(positionals);
  const until = performance.now() + minutes * 60_000;
  let rounds = 0;
  do {
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
    console.log(`fuzz: round ${(rounds += 1)}, seed ${seed}, ${files.length} files`);
    if (!(await round(seed, files))) return 1;
  } while (values.seed === undefined && performance.now() < until);
  console.log(`fuzz: every property held in ${rounds} rounds`);
  return 0;
}

try {
  process.exitCode = await fuzz();
} catch (error) {
  printError(error);
  process.exitCode = 1;
}
