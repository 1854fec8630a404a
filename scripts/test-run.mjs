// What `npm test` does once the Node is known to be new enough. Whatever breaks counts as failed: nothing is skipped in
// silence, and a phase that cannot run is a failure with a line that says why.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ROOT, ScriptError, printError, runCommand } from './command.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { ensureNode24 } from './node24.mjs';
import { ensureServers, serversPath } from './servers.mjs';

const MINUTE_MS = 60_000;
const REPORTS = join(ROOT, '.cache/reports');
const CHECKS = [
  { name: 'types', argv: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'] },
  { name: 'lint', argv: ['node_modules/eslint/bin/eslint.js', '.', '--max-warnings=0'] },
  { name: 'format', argv: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'] },
];
/** The tests that meet what differs between versions of Node: sockets, TLS, HTTP, streams, processes. */
const NODE_DEPENDENT = ['test/e2e/', 'test/listen/', 'test/tls/', 'test/request/', 'test/security/'];
/** What lies there and does not: they compare what the gate makes of texts, files and times, on whatever Node. */
const NODE_INDEPENDENT = [
  // Real Prometheus servers judge selectors, queries and pages; how the gate forwards them others show.
  'test/e2e/{exposition-tenants,meter,promql-selectors,promql-tenants,two-tenants-corpus,two-tenants-random}.test.ts',
  // Commands, files and pages: nothing is served, or only as others show it.
  'test/e2e/{bench,explain,from-nginx,init-next-steps,owners,permission-hints,readme,two-years}.test.ts',
  // The dates and files of certificates.
  'test/tls/authority/{authority-directory,crl-keeper,enrollment-tokens,prometheus,replace-together}.test.ts',
  'test/tls/acme/{ari,backoff,lock,renewal,store}.test.ts',
  'test/security/{acme-state-*,log-*,login-cache-*,promql-*,scrape-leader*,secrets-*}.test.ts',
  'test/security/enforce-{costly,line,parameters,filtered}*.test.ts',
  'test/request/enforce/**',
  'test/request/forward/scrape/{line-counter,meter,prometheus}.test.ts',
];

const total = { passed: 0, failed: 0 };

function count(passed, failed) {
  total.passed += passed;
  total.failed += failed;
}

/** @returns {Promise<boolean>} whether the phase ended well */
async function phase(name, work) {
  const startedAt = performance.now();
  try {
    await work();
    return true;
  } catch (error) {
    console.log(`${name}: failed`);
    printError(error);
    count(0, 1);
    return false;
  } finally {
    console.log(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  }
}

async function check({ name, argv }) {
  const { code, output } = await runCommand(process.execPath, argv);
  console.log(`${name}: ${code === 0 ? 'passed' : 'failed'}`);
  if (code !== 0) console.log(output.trimEnd());
  count(code === 0 ? 1 : 0, code === 0 ? 0 : 1);
}

/** A report in which everything that is not a pass is a failure: a skipped test, a file that did not load, a crash. */
function countReport(name, file, exitCode) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
  );
  const skipped = report.numPendingTests + report.numTodoTests;
  if (skipped > 0) console.log(`${name}: ${skipped} tests did not run, which counts as failed`);
  let failed = report.numFailedTests + brokenFiles.length + skipped;
  if (failed === 0 && exitCode !== 0) {
    console.log(`${name}: an error outside of the tests, which counts as failed`);
    failed = 1;
  }
  if (failed === 0 && report.numPassedTests === 0) throw new ScriptError(`${name}: no test ran`);
  count(report.numPassedTests, failed);
}

/** @param {{filters?: readonly string[], excluded?: readonly string[], deadlineMs: number}} options */
async function runTests(name, node, { filters = [], excluded = [], deadlineMs }) {
  const file = join(REPORTS, `${name.replace(/\W+/g, '-').toLowerCase()}.json`);
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const argv = ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...filters];
  argv.push(...excluded.map((glob) => `--exclude=${glob}`));
  const { code, timedOut } = await runCommand(node, argv, {
    show: true,
    deadlineMs,
    env: { CI: 'true', PATH: serversPath() },
  });
  if (timedOut) throw new ScriptError(`${name}: not done after ${deadlineMs / MINUTE_MS} minutes`);
  countReport(name, file, code);
}

async function runAll({ quick }) {
  if (!(await phase('dependencies', ensureDependencies))) return;
  const built = await phase('build', ensureBuilt);
  await phase('checks', () => Promise.all(CHECKS.map(check)));
  const served = await phase('servers', ensureServers);
  if (!built || !served) {
    console.log('the tests need the build and the servers, and did not run');
    return;
  }
  const here = `Node ${process.versions.node}`;
  await phase(`tests on ${here}`, () => runTests(here, process.execPath, { deadlineMs: 30 * MINUTE_MS }));
  if (quick) {
    console.log('--quick: not run on Node 24');
  } else if (process.versions.node.startsWith('24.')) {
    console.log('this is Node 24: no second pass');
  } else {
    await phase('tests on Node 24', async () =>
      runTests('Node 24', await ensureNode24(), {
        filters: NODE_DEPENDENT,
        excluded: NODE_INDEPENDENT,
        deadlineMs: 25 * MINUTE_MS,
      }),
    );
  }
}

const unknown = process.argv.slice(2).filter((argument) => argument !== '--quick');
process.chdir(ROOT);
mkdirSync(REPORTS, { recursive: true });
await phase('test run', async () => {
  if (unknown.length > 0) throw new ScriptError(`unknown argument ${unknown.join(' ')}`, 'npm test [-- --quick]');
  await runAll({ quick: process.argv.includes('--quick') });
});
if (total.passed === 0 && total.failed === 0) total.failed = 1;
process.exitCode = total.failed === 0 ? 0 : 1;
console.log(`${total.passed} passed, ${total.failed} failed`);
