/** What was measured with: the versions of everything, and the machine. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { pathToFileURL } from 'node:url';
import { runProcess } from '../test/support/processes.ts';
import { findProgram } from '../test/support/programs.ts';
import { CADDY, VMAUTH } from './peers/others.ts';
import { NEWEST, STABLE } from './peers/prometheus.ts';

async function versionOf(command: string, argument: string): Promise<string> {
  const { stdout, stderr } = await runProcess(command, [argument]);
  return /\d+\.\d+(?:\.\d+)?/.exec((stdout + stderr).replace(/^.*?version/i, ''))?.[0] ?? 'unknown';
}

/** Debian's build of vmauth names no version; the changelog of its package does. */
async function vmauthVersion(): Promise<string> {
  const changelog = new URL('../share/doc/victoria-metrics/changelog.Debian.gz', pathToFileURL(VMAUTH));
  const text = await readFile(changelog).then(
    (packed) => gunzipSync(packed).toString(),
    () => '',
  );
  return /\((\d+(?:\.\d+)+)/.exec(text)?.[1] ?? 'unknown';
}

/** One line, for docs/benchmarks.md. */
export async function describeMachine(): Promise<string> {
  const programs: readonly (readonly [string, string, string])[] = [
    ['nginx', findProgram('nginx'), '-v'],
    ['HAProxy', findProgram('haproxy'), '-v'],
    ['Caddy', CADDY, 'version'],
    ['Prometheus', STABLE(), '--version'],
    ['Prometheus', NEWEST(), '--version'],
    ['wrk', 'wrk', '-v'],
  ];
  const versions: string[] = [];
  for (const [name, command, argument] of programs) versions.push(`${name} ${await versionOf(command, argument)}`);
  versions.push(`vmauth ${await vmauthVersion()}`);
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `Measured on ${date}: Node.js ${process.versions.node}, ${versions.join(', ')}; ${cpus().length} processors (${cpu?.model ?? 'unknown'}), Linux.`;
}
