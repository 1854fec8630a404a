/** What was measured with: the versions of everything, and the machine. */
import { cpus } from 'node:os';
import { runProcess } from '../test/support/processes.ts';
import { findProgram } from '../test/support/programs.ts';
import { CADDY, VMAUTH } from './peers/others.ts';
import { NEWEST, STABLE } from './peers/prometheus.ts';

async function versionOf(command: string, argument: string): Promise<string> {
  const { stdout, stderr } = await runProcess(command, [argument]);
  return /\d+\.\d+(?:\.\d+)?/.exec((stdout + stderr).replace(/^.*?version/i, ''))?.[0] ?? 'unknown';
}

/** One line, for docs/benchmarks.md. */
export async function describeMachine(): Promise<string> {
  const programs: readonly (readonly [string, string, string])[] = [
    ['nginx', findProgram('nginx'), '-v'],
    ['HAProxy', findProgram('haproxy'), '-v'],
    ['Caddy', CADDY, 'version'],
    ['vmauth', VMAUTH, '-version'],
    ['Prometheus', STABLE(), '--version'],
    ['Prometheus', NEWEST(), '--version'],
    ['wrk', 'wrk', '-v'],
  ];
  const versions: string[] = [];
  for (const [name, command, argument] of programs) versions.push(`${name} ${await versionOf(command, argument)}`);
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `Measured on ${date}: Node.js ${process.versions.node}, ${versions.join(', ')}; ${cpus().length} processors (${cpu?.model ?? 'unknown'}), Linux.`;
}
