/** The contents of the operator's files, by the groups in which they reload, and the reading of one group. */
import type { Problem } from '../lib/problem.ts';
import { readAcmeFiles } from './acme-files.ts';
import type { AcmeFiles } from './acme-files.ts';
import { readCertificates, readStandIns } from './certificates.ts';
import { readClientTrust } from './client-trust.ts';
import type { ClientTrustFiles } from './client-trust.ts';
import type { ConfigSource, KeyPair, Users } from './config.ts';
import type { Crl } from '../formats/crl.ts';
import type { OperatorFiles } from './files.ts';
import type { GroupResult } from './groups.ts';
import { isError } from './parse.ts';
import { deriveAuthentication, verifiesClients } from './rules/authentication.ts';
import type { Raw } from './schema.ts';
import { readUpstreamFiles } from './upstream-files.ts';
import type { UpstreamFiles } from './upstream-files.ts';
import { readUsers } from './users.ts';

export interface Groups {
  readonly certificates: readonly KeyPair[];
  readonly trust: ClientTrustFiles;
  readonly users: Users;
  readonly upstreams: readonly UpstreamFiles[];
  readonly acme: AcmeFiles;
}

export interface GroupReading {
  readonly raw: Raw;
  readonly files: OperatorFiles;
  readonly configFile: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The revocation lists in force. */
  readonly crlsInForce: readonly Crl[];
}

/** Every group: what was read of each, null for one that failed. */
export interface AllGroups {
  readonly values: { readonly [K in keyof Groups]: Groups[K] | null };
  readonly problems: readonly Problem[];
  readonly readings: readonly GroupResult<unknown>[];
}

export async function readAllGroups(reading: GroupReading): Promise<AllGroups> {
  const certificates = await certificatesOf(reading);
  const trust = await trustOf(reading);
  const users = await readUsers(reading.raw, reading.files);
  const upstreams = await readUpstreamFiles(reading.raw.upstreams, reading.files, reading.now);
  const acme = await readAcmeFiles(reading.raw.acme, reading.files, reading.configFile);
  const readings = [certificates, trust, users, upstreams, acme];
  return {
    values: {
      certificates: valueOf(certificates),
      trust: valueOf(trust),
      users: valueOf(users),
      upstreams: valueOf(upstreams),
      acme: valueOf(acme),
    },
    problems: readings.flatMap(({ problems }) => problems),
    readings,
  };
}

/** Reads one group; for `config` these are the files of the upstreams and of `acme`. */
export async function readGroup(source: ConfigSource, reading: GroupReading): Promise<GroupResult<Partial<Groups>>> {
  switch (source) {
    case 'certificate':
      return named('certificates', await certificatesOf(reading));
    case 'client_ca':
      return named('trust', await trustOf(reading));
    case 'htpasswd':
      return named('users', await readUsers(reading.raw, reading.files));
    case 'config': {
      const { raw, files, now, configFile } = reading;
      const upstreams = named('upstreams', await readUpstreamFiles(raw.upstreams, files, now));
      return both(upstreams, named('acme', await readAcmeFiles(raw.acme, files, configFile)));
    }
  }
}

function named<K extends keyof Groups>(name: K, result: GroupResult<Groups[K]>): GroupResult<Partial<Groups>> {
  return result.ok ? { ...result, value: { [name]: result.value } } : result;
}

function both(a: GroupResult<Partial<Groups>>, b: GroupResult<Partial<Groups>>): GroupResult<Partial<Groups>> {
  const problems = [...a.problems, ...b.problems];
  if (a.ok && b.ok) return { ok: true, value: { ...a.value, ...b.value }, problems };
  return { ok: false, problems, settling: [a, b].every((result) => result.ok || result.settling) };
}

async function certificatesOf({ raw, files, now }: GroupReading): Promise<GroupResult<readonly KeyPair[]>> {
  const { tls_server_config: tls } = raw;
  if (tls === undefined || !deriveAuthentication(raw).hasTls) return { ok: true, value: [], problems: [] };
  return raw.acme === undefined ? readCertificates(tls, files, now) : readStandIns(tls, files, now);
}

async function trustOf({ raw, files, now, crlsInForce }: GroupReading): Promise<GroupResult<ClientTrustFiles>> {
  const { tls_server_config: tls } = raw;
  const { hasTls, clientAuthType } = deriveAuthentication(raw);
  if (tls === undefined) return { ok: true, value: { ca: [], crls: [], fetchCas: [] }, problems: [] };
  return readClientTrust(
    { tls, fetch: raw.crl?.fetch ?? [], verifiesClients: hasTls && verifiesClients(clientAuthType) },
    { files, now, inForce: crlsInForce },
  );
}

function valueOf<T>(result: GroupResult<T>): T | null {
  return result.ok ? result.value : null;
}

/** Whether another look soon may help: files do not fit each other, and nothing else is wrong. */
export function isSettling(readings: readonly GroupResult<unknown>[], problems: readonly Problem[]): boolean {
  const failed = readings.filter((reading) => !reading.ok);
  const own = failed.reduce((count, reading) => count + reading.problems.filter(isError).length, 0);
  return failed.length > 0 && failed.every((reading) => reading.settling) && own === problems.filter(isError).length;
}

/** Two of the same contents have the same digest. It holds secrets: for comparison in memory only. */
export function groupDigest(groups: Groups, source: ConfigSource): string {
  switch (source) {
    case 'certificate':
      return JSON.stringify(groups.certificates.map(({ cert, key }) => [cert, key]));
    case 'client_ca':
      return JSON.stringify([
        ...[groups.trust.ca, groups.trust.crls].map((all) => all.map(({ pem }) => pem)),
        groups.trust.fetchCas,
      ]);
    case 'htpasswd':
      return JSON.stringify([...groups.users].map(([user, lines]) => [user, lines.map(({ id }) => id)]));
    case 'config':
      return JSON.stringify([groups.upstreams, groups.acme]);
  }
}
