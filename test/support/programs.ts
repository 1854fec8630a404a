/**
 * Where the real programs are: on the PATH, in the sbin folders, or in .cache/servers, where scripts/servers.mjs unpacks
 * what is not installed. A missing one fails the test that asks for it; nothing is skipped.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SERVERS = fileURLToPath(new URL('../../.cache/servers', import.meta.url));

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @throws Error with the way out when there is no such program. */
export function findProgram(name: string): string {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/sbin',
    join(SERVERS, 'stable/usr/bin'),
    join(SERVERS, 'stable/usr/sbin'),
  ];
  const found = folders.map((folder) => join(folder, name)).find(isProgram);
  if (found === undefined) throw new Error(`${name} is missing: run "node scripts/servers.mjs"`);
  return found;
}

export interface PrometheusProgram {
  readonly name: string;
  readonly path: string;
}

/**
 * The Prometheus of the distribution and the newest 3.x, for `describe.each`.
 * PROMGATE_TEST_PROMETHEUS3=off leaves the second out; the test run says so.
 */
export function prometheusPrograms(): PrometheusProgram[] {
  const programs = [{ name: 'the installed Prometheus', path: findProgram('prometheus') }];
  if (process.env['PROMGATE_TEST_PROMETHEUS3'] === 'off') return programs;
  const newest = join(SERVERS, 'newest/usr/bin/prometheus');
  if (!isProgram(newest)) throw new Error('Prometheus 3 is missing: run "node scripts/servers.mjs"');
  return [...programs, { name: 'Prometheus 3', path: newest }];
}

/** A program that is unpacked from the newest packages because the distribution's is too old. @throws Error with the way out */
export function newestProgram(name: string): string {
  const path = join(SERVERS, 'newest/usr/bin', name);
  if (!isProgram(path)) throw new Error(`the newest ${name} is missing: run "node scripts/servers.mjs"`);
  return path;
}
