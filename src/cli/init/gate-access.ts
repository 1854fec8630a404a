/**
 * How a configuration can be asked: scheme, names, the CA that a client needs, and for each upstream the credentials that
 * get through. What may is decided as `explain` decides it, so that nothing is printed that would be refused.
 */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import type { Config, Upstream } from '../../config/config.ts';
import { servedNames } from '../../config/derived.ts';
import { EMPTY_ADDRESS_SET } from '../../formats/address-set.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import { NO_HOST_ADDRESSES } from '../../request/accept/addresses.ts';
import { decide } from '../../request/decide.ts';
import { factsOf } from '../explain/shown-certificate.ts';
import type { PairPaths } from './layout.ts';

/** What a client brings; both under `both`, neither under `none`. */
export interface ClientCredentials {
  readonly certificate: PairPaths | null;
  readonly user: string | null;
}

export interface UpstreamAccess {
  readonly kind: Upstream['kind'];
  /** Empty for `/`. */
  readonly prefix: string;
  /** What a scrape brings; null: none that is at hand may scrape it. */
  readonly scrape: ClientCredentials | null;
  /** A user that may scrape instead of the certificate. */
  readonly otherUser: string | null;
  /** A question of its API or page from this host, and what it brings; null: none gets through. */
  readonly question: { readonly path: string; readonly credentials: ClientCredentials } | null;
}

/** How the server certificate is verified. */
export type ServerTrust =
  | { readonly kind: 'plain' }
  | { readonly kind: 'file'; readonly path: string }
  /** By what every client trusts. */
  | { readonly kind: 'public' }
  | { readonly kind: 'unknown'; readonly issuer: string };

export interface GateAccess {
  /** The first TCP address; `host` is null for every address of the host. */
  readonly listen: { readonly host: string | null; readonly port: number };
  readonly trust: ServerTrust;
  /** Of the server certificate; empty without TLS. */
  readonly names: readonly string[];
  readonly upstreams: readonly UpstreamAccess[];
}

export interface AccessRequest {
  readonly config: Config;
  /** A client certificate that is at hand, whether the configuration takes it or not. */
  readonly client: PairPaths;
  /** Files that may hold the CA of the server certificate. */
  readonly authorities: readonly string[];
  readonly nowMs: number;
}

const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';
/** More users than this are not tried. */
const MAX_USERS = 100;

/** @returns null when the gate listens on no TCP address. */
export async function readAccess({ config, client, authorities, nowMs }: AccessRequest): Promise<GateAccess | null> {
  const listen = firstAddress(config);
  if (listen === null) return null;
  const certificate = await readFile(client.cert, 'utf8').catch(() => null);
  const candidates = candidatesOf(config, certificate === null ? null : client);
  const passes = (from: 'here' | 'anywhere', target: string, { certificate: shown, user }: ClientCredentials) =>
    decide({
      config: from === 'here' ? config : withoutAddresses(config),
      hosts: NO_HOST_ADDRESSES,
      peer: listen.host ?? '127.0.0.1',
      forwardedFor: undefined,
      method: 'GET',
      target,
      tls: factsOf(config.tls, shown === null ? null : certificate),
      user,
      form: null,
      nowMs,
    }).every(({ reason }) => reason === null);
  return {
    listen,
    trust: await serverTrust(config, authorities),
    names: servedNames(config),
    upstreams: config.upstreams.map((upstream): UpstreamAccess => {
      const prefix = upstream.pathPrefix.replace(/\/$/, '');
      const scraped = upstream.kind === 'prometheus' ? `${prefix}/federate?match[]=up` : `${prefix}/metrics`;
      const scrape = candidates.find((one) => passes('anywhere', scraped, one)) ?? null;
      const isByCertificate = scrape !== null && scrape.certificate !== null && scrape.user === null;
      const instead = isByCertificate ? candidates : [];
      const other = instead.find((one) => one.certificate === null && passes('anywhere', scraped, one));
      const asked = upstream.kind === 'prometheus' ? [`${prefix}/api/v1/query?query=up`, scraped] : [scraped];
      const questions = asked.flatMap((path) => candidates.map((credentials) => ({ path, credentials })));
      const question = questions.find(({ path, credentials }) => passes('here', path, credentials)) ?? null;
      return { kind: upstream.kind, prefix, scrape, otherUser: other?.user ?? null, question };
    }),
  };
}

/** What a client could bring, a certificate first. */
function candidatesOf({ users, authenticate }: Config, client: PairPaths | null): readonly ClientCredentials[] {
  const names = [...users.keys()].slice(0, MAX_USERS);
  const byPassword = names.map((user) => ({ certificate: null, user }));
  if (authenticate === 'none') return [{ certificate: null, user: null }];
  if (client === null) return byPassword;
  return [{ certificate: client, user: null }, ...byPassword, ...names.map((user) => ({ certificate: client, user }))];
}

/** From where the central Prometheus comes is not known here. */
function withoutAddresses(config: Config): Config {
  return {
    ...config,
    access: { ...config.access, allow: null, deny: EMPTY_ADDRESS_SET },
    identities: config.identities?.map((rule) => ({ ...rule, allowFrom: null })) ?? null,
  };
}

function firstAddress({ listen }: Config): GateAccess['listen'] | null {
  const address = listen.find((one) => one.kind === 'tcp');
  if (address?.kind !== 'tcp') return null;
  const { host, port } = address;
  return { host: host === '0.0.0.0' || host === '::' ? null : host, port };
}

async function serverTrust({ acme, tls }: Config, authorities: readonly string[]): Promise<ServerTrust> {
  if (acme !== null) return { kind: 'public' };
  if (tls === null) return { kind: 'plain' };
  const chain = certificatesIn(tls.certificates[0]?.cert ?? '');
  const last = chain.at(-1);
  if (last === undefined) return { kind: 'unknown', issuer: '' };
  for (const path of authorities) {
    const issuers = certificatesIn(await readFile(path, 'utf8').catch(() => ''));
    if (chain.some((one) => issuers.some((issuer) => isIssuer(issuer, one)))) return { kind: 'file', path };
  }
  const system = certificatesIn(await readFile(SYSTEM_ROOTS, 'utf8').catch(() => ''));
  const roots = [...system, ...certificatesIn(rootCertificates.join('\n'))];
  const isPublic = chain.some((one) => roots.some((root) => isIssuer(root, one)));
  return isPublic ? { kind: 'public' } : { kind: 'unknown', issuer: last.issuer };
}

/** By name: two CAs of one name are not told apart here. A certificate that signed itself is its own. */
function isIssuer(issuer: CertificateInfo, { issuerKey, subjectKey, fingerprint }: CertificateInfo): boolean {
  const isItself = issuer.fingerprint === fingerprint;
  return issuer.subjectKey === issuerKey && (isItself ? issuerKey === subjectKey : issuer.isCa);
}

function certificatesIn(pem: string): readonly CertificateInfo[] {
  const certificates = parseCertificates(pem);
  return certificates.ok ? certificates.value : [];
}

/** A DNS name that stands for this host under a wildcard of the certificate, or the name itself. */
export function concreteName(name: string, hostName: string): string {
  return name.startsWith('*.') ? `${hostName.split('.')[0] ?? hostName}.${name.slice(2)}` : name;
}

export function isAddress(name: string): boolean {
  return isIP(name) !== 0;
}
