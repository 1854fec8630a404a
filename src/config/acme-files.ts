/**
 * The files that `acme` names: CAs of directories and HMAC keys are read, what only runs later is looked at. They belong
 * to the group `config`. Whose the state directory is, is judged where it is used: `check` may run as another user.
 */
import { lstat, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseCertificates } from '../formats/x509.ts';
import { whyNotWritable } from '../lib/private-file.ts';
import type { DocumentPath, Problem } from '../lib/problem.ts';
import type { AcmeDirectory } from './config.ts';
import { modeProblem } from './file-mode.ts';
import type { OperatorFiles } from './files.ts';
import { findings, groupResult, take } from './groups.ts';
import type { Findings, GroupResult } from './groups.ts';
import { parseHmacKey } from './schema-acme.ts';
import type { RawAcme, RawDirectory } from './schema-acme.ts';

/** What the files of each directory hold, in the order in which they are tried. Empty without `acme`. */
export type AcmeFiles = readonly Pick<AcmeDirectory, 'ca' | 'externalAccount'>[];

const OTHERS_MAY_WRITE = 0o022;
const EXECUTABLE = 0o111;

/** A path of the YAML; relative ones are relative to the directory of the configuration. */
export function pathBeside(configFile: string, written: string): string {
  return resolve(dirname(configFile), written);
}

/** @param configFile the configuration file's name. */
export async function readAcmeFiles(
  acme: RawAcme | undefined,
  files: OperatorFiles,
  configFile: string,
): Promise<GroupResult<AcmeFiles>> {
  if (acme === undefined) return { ok: true, value: [], problems: [] };
  const found = findings();
  const all: AcmeFiles[number][] = [await readDirectory(acme, ['acme'], files, found)];
  for (const [index, fallback] of acme.fallback.entries()) {
    all.push(await readDirectory(fallback, ['acme', 'fallback', index], files, found));
  }
  found.problems.push(...(await pathProblems(acme, configFile)));
  return groupResult(found, all);
}

async function readDirectory(
  { ca_file: caFile, external_account_binding: account }: Pick<RawDirectory, 'ca_file' | 'external_account_binding'>,
  at: DocumentPath,
  files: OperatorFiles,
  found: Findings,
): Promise<AcmeFiles[number]> {
  let ca: string | null = null;
  if (caFile !== undefined) {
    const path = [...at, 'ca_file'];
    const file = await files.read(caFile, { path, source: 'config' });
    if (!file.ok) found.problems.push(file.problem);
    const read = file.ok ? take(parseCertificates(file.text), found, path, file) : null;
    ca = (read ?? []).map(({ pem }) => pem).join('');
  }
  if (account === undefined) return { ca, externalAccount: null };
  const { key_id: keyId, hmac_key: inline, hmac_key_file: keyFile } = account;
  const path = [...at, 'external_account_binding', 'hmac_key_file'];
  if (inline !== undefined && keyFile !== undefined) {
    const message = 'hmac_key and hmac_key_file are both set';
    found.problems.push({ severity: 'error', message, path, at: 'key', hint: 'keep hmac_key_file' });
  }
  if (inline === undefined && keyFile === undefined) {
    const message = 'missing one of hmac_key or hmac_key_file';
    found.problems.push({ severity: 'error', message, path, at: 'map' });
  }
  if (keyFile === undefined) return { ca, externalAccount: { keyId, hmacKey: inline ?? '' } };
  const file = await files.read(keyFile, { path, source: 'config' });
  if (!file.ok) {
    found.problems.push(file.problem);
    return { ca, externalAccount: null };
  }
  const open = modeProblem(file, path, 'owner');
  if (open !== null) found.problems.push(open);
  const hmacKey = take(parseHmacKey(file.text), found, path, file);
  return { ca, externalAccount: hmacKey === null ? null : { keyId, hmacKey } };
}

/** Looks at what is only used when an order runs, so that it is not found out at night. */
async function pathProblems({ state_dir: state, challenge }: RawAcme, configFile: string): Promise<Problem[]> {
  const problems: Problem[] = [];
  const judge = async (
    written: string,
    path: DocumentPath,
    look: (name: string) => Promise<Stats>,
    fault: (stats: Stats | null) => readonly [string, string] | null,
  ): Promise<void> => {
    const stats = await look(pathBeside(configFile, written)).catch(() => null);
    const [what, hint] = fault(stats) ?? [];
    if (what === undefined || hint === undefined) return;
    problems.push({ severity: 'error', message: `${JSON.stringify(written)} ${what}`, path, hint });
  };
  await judge(state, ['acme', 'state_dir'], lstat, (stats) => {
    // It is made when it is needed.
    if (stats === null) return null;
    if (stats.isSymbolicLink()) return ['is a symbolic link', 'name the directory that it points to'];
    if (!stats.isDirectory()) return ['is not a directory', 'name a directory that holds nothing else'];
    if ((stats.mode & OTHERS_MAY_WRITE) === 0) return null;
    return ['can be written by other users', `chmod 0700 ${state}`];
  });
  const obstacle = await whyNotWritable(pathBeside(configFile, state));
  if (obstacle !== null && problems.length === 0) {
    const message = `cannot write ${pathBeside(configFile, state)} (${obstacle}): no certificate is obtained or renewed`;
    const hint = 'name a directory that the user of the gate may write: /var/lib/promgate/acme under its systemd unit';
    problems.push({ severity: 'warning', message, path: ['acme', 'state_dir'], hint });
  }
  const { type, webroot, hook } = challenge;
  if (webroot !== undefined && type === 'http-01') {
    await judge(webroot, ['acme', 'challenge', 'webroot'], stat, (stats) =>
      stats?.isDirectory() === true
        ? null
        : [stats === null ? 'does not exist' : 'is not a directory', 'name the directory that the web server serves'],
    );
  }
  if (hook !== undefined && type === 'dns-01') {
    await judge(hook, ['acme', 'challenge', 'hook'], stat, (stats) => {
      if (stats === null) return ['does not exist', 'relative names are relative to the directory of this file'];
      if (!stats.isFile()) return ['is not a program', 'name an executable file'];
      if ((stats.mode & EXECUTABLE) === 0) return ['is not executable', `chmod 0755 ${hook}`];
      // The gate would run what they write.
      return (stats.mode & OTHERS_MAY_WRITE) === 0 ? null : ['can be written by other users', `chmod 0755 ${hook}`];
    });
  }
  return problems;
}
