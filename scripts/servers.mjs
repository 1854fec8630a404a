// The real programs that the tests use: found, or taken from Debian's packages. Prometheus, node_exporter, nginx and Pebble
// (the ACME CA that is made for tests) and fail2ban are unpacked into .cache/servers, which starts no service and changes
// nothing on the machine; the others are installed by apt-get. What cannot be had is named, with the way to get it. The addresses of
// mirrors come from the machine's own apt sources.
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT, ScriptError, printError, runCommand } from './command.mjs';

/** What the pages of Prometheus's UI load, which its package has links to. */
const UI_LIBRARIES = [
  'fonts-glyphicons-halflings',
  'libjs-bootstrap4',
  'libjs-d3',
  'libjs-eonasdan-bootstrap-datetimepicker',
  'libjs-jquery',
  'libjs-jquery-hotkeys',
  'libjs-moment',
  'libjs-moment-timezone',
  'libjs-mustache',
  'libjs-popper.js',
  'libjs-rickshaw',
];
/**
 * program → Debian package; `unpack`: a static binary that is taken out of its package and installed nowhere; `with`: the
 * packages that must be unpacked beside it, and `needs`: a file of theirs.
 */
const PROGRAMS = [
  {
    program: 'prometheus',
    package: 'prometheus',
    unpack: true,
    with: UI_LIBRARIES,
    needs: 'usr/share/javascript/mustache/mustache.js',
  },
  { program: 'promtool', package: 'prometheus', unpack: true },
  { program: 'prometheus-node-exporter', package: 'prometheus-node-exporter', unpack: true },
  { program: 'nginx', package: 'nginx', unpack: true },
  // A Python program: test/deploy/fail2ban.test.ts gives it to python3 with the modules that are unpacked beside it.
  { program: 'fail2ban-regex', package: 'fail2ban', unpack: true },
  { program: 'python3', package: 'python3' },
  { program: 'htpasswd', package: 'apache2-utils' },
  { program: 'curl', package: 'curl' },
  { program: 'openssl', package: 'openssl' },
  { program: 'chromium', package: 'chromium' },
];
/** What `npm run bench` needs beside them; caddy and vmauth come from the newest packages. */
const BENCH_PROGRAMS = [
  { program: 'haproxy', package: 'haproxy' },
  { program: 'wrk', package: 'wrk' },
  { program: 'h2load', package: 'nghttp2-client' },
];
const BENCH_NEWEST = { caddy: 'caddy', vmauth: 'victoria-metrics' };
const SERVERS = join(ROOT, '.cache/servers');
const STABLE = join(SERVERS, 'stable');
const NEWEST = join(SERVERS, 'newest');
const BENCH = join(SERVERS, 'bench');
const APT = join(ROOT, '.cache/apt');
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

const PROGRAM_FOLDERS = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/sbin',
  '/sbin',
  join(STABLE, 'usr/bin'),
  join(STABLE, 'usr/sbin'),
];

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function findProgram(name) {
  return PROGRAM_FOLDERS.map((folder) => join(folder, name)).find(isProgram);
}

/** The PATH under which every program is found by its name. */
export function serversPath() {
  return PROGRAM_FOLDERS.join(delimiter);
}

/** Whether what was unpacked for a program is whole. */
const isWhole = (found, { needs }) =>
  needs === undefined || !found.startsWith(STABLE) || existsSync(join(STABLE, needs));

const missingOf = (programs) =>
  programs.filter((entry) => {
    const found = findProgram(entry.program);
    return found === undefined || !isWhole(found, entry);
  });
const packagesOf = (programs) => [...new Set(programs.map((entry) => entry.package))];

async function run(command, argv, options) {
  const { code, output } = await runCommand(command, argv, options);
  if (code !== 0) throw new ScriptError(`${[command, ...argv].join(' ')} failed with code ${code}\n${output.trim()}`);
  return output;
}

/** apt-get with lists and downloads of its own, so that it needs no root and leaves the machine's as they are. */
async function unpackPackages(packages, into, sourcesList) {
  const state = join(APT, sourcesList === undefined ? 'stable' : 'newest');
  const downloads = join(state, 'downloads');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'downloads'])
    mkdirSync(join(state, folder), { recursive: true });
  const settings = [
    `Dir::State::lists=${join(state, 'lists')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    'APT::Sandbox::User=',
  ];
  if (sourcesList !== undefined) {
    writeFileSync(join(state, 'sources.list'), sourcesList);
    settings.push(`Dir::Etc::sourcelist=${join(state, 'sources.list')}`, 'Dir::Etc::sourceparts=/dev/null');
  }
  const options = settings.flatMap((setting) => ['-o', setting]);
  await run('apt-get', [...options, '--error-on=any', 'update', '-qq']);
  await run('apt-get', [...options, 'download', '-qq', ...packages], { cwd: downloads });
  // Unpacked beside its place and moved there whole: a broken run leaves nothing that looks done.
  const fresh = `${into}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb'))) {
    await run('dpkg', ['-x', join(downloads, file), fresh]);
  }
  rmSync(into, { recursive: true, force: true });
  renameSync(fresh, into);
  rmSync(downloads, { recursive: true, force: true });
}

/** The one-line source of Debian's sid suite on the mirror that this machine is set up with. */
async function sidSource() {
  const targets = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']);
  const mirror = targets.split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined || !existsSync(KEYRING))
    throw new ScriptError('the apt sources of this machine name no Debian mirror');
  return `deb [signed-by=${KEYRING}] ${mirror} sid main\n`;
}

async function ensurePrograms(programs = PROGRAMS) {
  const missing = missingOf(programs);
  if (missing.length === 0) return;
  const hint = `as root: apt-get install ${packagesOf(missing).join(' ')} (or the same programs by other means)`;
  const fail = (why) => new ScriptError(`missing ${missing.map(({ program }) => program).join(', ')}: ${why}`, hint);
  if (findProgram('apt-get') === undefined) throw fail('apt-get is not on this machine');
  const installed = missing.filter(({ unpack }) => !unpack);
  if (installed.length > 0 && process.getuid?.() !== 0) throw fail('installing packages needs root');
  console.log(`servers: taking ${packagesOf(missing).join(', ')} from the Debian packages …`);
  try {
    const unpacked = missing.filter(({ unpack }) => unpack);
    // All of them: unpacking replaces the folder.
    if (unpacked.length > 0) {
      const all = PROGRAMS.filter(({ unpack }) => unpack);
      await unpackPackages([...packagesOf(all), ...all.flatMap((entry) => entry.with ?? [])], STABLE);
    }
    if (installed.length > 0) {
      await run('apt-get', ['update', '-qq']);
      const quiet = ['-y', '-qq', '--no-install-recommends'];
      await run('apt-get', ['install', ...quiet, ...packagesOf(installed)], {
        env: { DEBIAN_FRONTEND: 'noninteractive' },
      });
    }
  } catch (error) {
    throw fail(error.message);
  }
  const still = missingOf(programs);
  if (still.length > 0) throw fail(`still not there: ${still.map(({ program }) => program).join(', ')}`);
}

/** What the tests want newer than the distribution has it: all of it in one folder, since unpacking replaces the folder. */
function newestPrograms() {
  const isPrometheusWanted = process.env['PROMGATE_TEST_PROMETHEUS3'] !== 'off';
  if (!isPrometheusWanted)
    console.log('servers: PROMGATE_TEST_PROMETHEUS3=off, so nothing is tested with Prometheus 3');
  return isPrometheusWanted ? ['prometheus', 'pebble'] : ['pebble'];
}

async function ensureNewest() {
  const wanted = newestPrograms();
  const place = (program) => join(NEWEST, 'usr/bin', program);
  const missing = wanted.filter((program) => !isProgram(place(program)));
  if (missing.length === 0) return;
  console.log(`servers: taking ${missing.join(', ')} from the sid suite of Debian …`);
  try {
    await unpackPackages(wanted, NEWEST, await sidSource());
  } catch (error) {
    throw new ScriptError(
      `missing the newest ${missing.join(', ')}: ${error.message}`,
      `put them at ${missing.map(place).join(', ')}; PROMGATE_TEST_PROMETHEUS3=off tests without Prometheus 3`,
    );
  }
}

/** In a folder of their own, so that the tests never wait for them. */
async function ensureBenchNewest() {
  const place = (program) => join(BENCH, 'usr/bin', program);
  const missing = Object.keys(BENCH_NEWEST).filter((program) => !isProgram(place(program)));
  if (missing.length === 0) return;
  console.log(`servers: taking ${missing.join(', ')} from the sid suite of Debian …`);
  try {
    await unpackPackages(Object.values(BENCH_NEWEST), BENCH, await sidSource());
  } catch (error) {
    throw new ScriptError(
      `missing the newest ${missing.join(', ')}: ${error.message}`,
      `put them at ${missing.map(place).join(', ')}`,
    );
  }
}

/** @throws {ScriptError} naming what is missing and how to get it */
export async function ensureServers() {
  await ensurePrograms();
  await ensureNewest();
}

/** Those of the tests and those that only the bench compares with. @throws {ScriptError} as ensureServers */
export async function ensureBenchServers() {
  await ensureServers();
  await ensurePrograms(BENCH_PROGRAMS);
  await ensureBenchNewest();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await (process.argv.includes('--bench') ? ensureBenchServers() : ensureServers());
    for (const { program } of PROGRAMS) console.log(`${program}: ${findProgram(program)}`);
  } catch (error) {
    printError(error);
    process.exitCode = 1;
  }
}
