/**
 * Reads the configuration with every file that the operator owns, in one pass: `check`, `run` and every reload come
 * through here. It never throws for what stands in a file.
 */
import { networkInterfaces } from 'node:os';
import { resolve as absolutePath } from 'node:path';
import { normalizeAddress } from '../formats/address-set.ts';
import { parseListenAddress } from '../formats/listen-address.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Problem } from '../lib/problem.ts';
import type { Config, ConfigSource, ListenAddress } from './config.ts';
import { enrollmentProblems } from './enrollment-files.ts';
import { isSettling, readAllGroups, readGroup } from './file-groups.ts';
import type { Groups } from './file-groups.ts';
import type { Reader } from './file-mode.ts';
import { operatorFiles, readRegularFile } from './files.ts';
import type { ReadResult, WatchedFile } from './files.ts';
import { isError, parseConfig } from './parse.ts';
import { resolveConfig } from './resolve.ts';
import { judge, judgeGroup } from './rules/all.ts';
import { deriveAuthentication } from './rules/authentication.ts';
import type { RuleInput } from './rules/rule.ts';
import type { Raw } from './schema.ts';

/** A Config and what it was made of: enough to read one group of files anew. */
export interface Loaded {
  readonly config: Config;
  readonly text: string;
  readonly raw: Raw;
  readonly groups: Groups;
  readonly files: readonly WatchedFile[];
  /** Warnings: whoever loaded it has told them. */
  readonly problems?: readonly Problem[];
}

export interface LoadOptions {
  readonly generation: number;
  /** Replaces `listen_addresses`: what `--web.listen-address` says; empty counts as absent. */
  readonly listenAddresses?: readonly string[];
  /** The Config in force: a CRL that is older than its own is refused. */
  readonly previous?: Config;
  /** Before 24, keys of different types beside each other are refused; absent counts as before 24. */
  readonly nodeMajor?: number;
  readonly clock?: Clock;
  /** Who reads, for what is said of permissions; null or absent: the owner of each file is assumed. */
  readonly reader?: Reader | null;
}

export interface LoadSuccess {
  readonly ok: true;
  readonly config: Config;
  /** Warnings. */
  readonly problems: readonly Problem[];
  readonly text: string;
  readonly loaded: Loaded;
}

export interface LoadFailure {
  readonly ok: false;
  readonly problems: readonly Problem[];
  /** Empty when the file could not be read. */
  readonly text: string;
  /** What was asked for: a change of these may mend it. */
  readonly files: readonly WatchedFile[];
  /** Files that do not fit each other, as while one of them is being replaced: worth another look soon. */
  readonly settling: boolean;
}

export type LoadResult = LoadSuccess | LoadFailure;

/** Reads everything. `file` may be relative; it is printed as it is given. */
export async function loadConfig(file: string, options: LoadOptions): Promise<LoadResult> {
  const content = await readRegularFile(file, options.reader ?? null);
  const yaml: WatchedFile = { path: absolutePath(file), source: 'config', digest: content.digest };
  const failure = (problems: readonly Problem[], text: string): LoadFailure => {
    return { ok: false, problems, text, files: [yaml], settling: false };
  };
  if (!content.ok) {
    return failure([unreadableConfig(file, content)], '');
  }
  const { text } = content;
  const written = await parseConfig(text);
  if (!written.ok) return failure(written.problems, text);
  const { raw } = written;
  const listen = listenOf(raw, options);
  const files = operatorFiles(file, options.reader ?? null);
  const reading = { raw, files, configFile: file, now: now(options), crlsInForce: crlsInForce(options) };
  const read = await readAllGroups(reading);
  const { certificates, trust, users, upstreams, acme } = read.values;
  const rules = judge({ ...ruleInput(raw, listen, options), users, pairs: certificates });
  const enrollment = await enrollmentProblems(raw, trust, file);
  const problems = [...written.problems, ...listen.problems, ...read.problems, ...rules, ...enrollment];
  const used = [yaml, ...files.used()];
  const isWhole = certificates !== null && trust !== null && users !== null && upstreams !== null && acme !== null;
  if (!isWhole || problems.some(isError)) {
    return { ok: false, problems, text, files: used, settling: isSettling(read.readings, problems) };
  }
  const groups = { certificates, trust, users, upstreams, acme };
  return success({ file, text, raw, groups, files: used, listen: listen.addresses }, options, problems);
}

/**
 * Re-reads the files of one group under the YAML in force; all other groups stay as they are. For `config` these are the
 * files of the upstreams and of `acme`.
 */
export async function loadSource(current: Loaded, source: ConfigSource, options: LoadOptions): Promise<LoadResult> {
  const { raw, text, files } = current;
  const { file } = current.config;
  const listen = listenOf(raw, options);
  const reading = {
    raw,
    files: operatorFiles(file, options.reader ?? null),
    configFile: file,
    now: now(options),
    crlsInForce: crlsInForce(options),
  };
  const result = await readGroup(source, reading);
  const groups: Groups = { ...current.groups, ...(result.ok ? result.value : {}) };
  const input = ruleInput(raw, listen, options);
  const rules = judgeGroup(source, { ...input, users: groups.users, pairs: groups.certificates });
  const problems = [...result.problems, ...rules];
  if (!result.ok || problems.some(isError)) {
    return { ok: false, problems, text, files, settling: isSettling([result], problems) };
  }
  return success({ file, text, raw, groups, files, listen: listen.addresses }, options, problems);
}

function unreadableConfig(file: string, { message, hint, code }: ReadResult & { ok: false }): Problem {
  if (code !== 'ENOENT') return { severity: 'error', message, ...(hint === undefined ? {} : { hint }) };
  const path = absolutePath(file);
  const where = path === file ? '' : `: looked for ${path}`;
  const relative = path === file ? '' : ', and relative names are relative to the working directory';
  return { severity: 'error', message: `${message}${where}`, hint: `\`promgate init\` writes one${relative}` };
}

function now({ clock = systemClock }: LoadOptions): number {
  return clock.now();
}

function crlsInForce({ previous }: LoadOptions) {
  return previous?.tls?.trust.crls ?? [];
}

interface Listen {
  readonly addresses: readonly ListenAddress[];
  readonly fromFile: boolean;
  readonly problems: readonly Problem[];
}

function listenOf(raw: Raw, { listenAddresses = [] }: LoadOptions): Listen {
  if (listenAddresses.length === 0) return { addresses: raw.listen_addresses, fromFile: true, problems: [] };
  const addresses: ListenAddress[] = [];
  const problems: Problem[] = [];
  for (const written of listenAddresses) {
    const address = parseListenAddress(written);
    if (address.ok) {
      addresses.push(address.value);
    } else {
      const { message, hint } = address;
      const sentence = `--web.listen-address ${JSON.stringify(written)}: ${message}`;
      problems.push({ severity: 'error', message: sentence, ...(hint === undefined ? {} : { hint }) });
    }
  }
  return { addresses, fromFile: false, problems };
}

function ruleInput(raw: Raw, listen: Listen, { nodeMajor = 0 }: LoadOptions): Omit<RuleInput, 'users' | 'pairs'> {
  return {
    raw,
    authentication: deriveAuthentication(raw),
    listen: listen.addresses,
    listenFromFile: listen.fromFile,
    nodeMajor,
    ownAddresses: ownAddresses(),
  };
}

function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => normalizeAddress(address)).filter((address) => address !== null));
}

interface Parts {
  readonly file: string;
  readonly text: string;
  readonly raw: Raw;
  readonly groups: Groups;
  readonly files: readonly WatchedFile[];
  readonly listen: readonly ListenAddress[];
}

function success(parts: Parts, { generation }: LoadOptions, problems: readonly Problem[]): LoadSuccess {
  const { text, raw, groups, files } = parts;
  const config = resolveConfig({ ...parts, generation, authentication: deriveAuthentication(raw) });
  return { ok: true, config, problems, text, loaded: { config, text, raw, groups, files, problems } };
}
