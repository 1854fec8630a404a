/** What the user wrote, with the contents of its files → what runs. Pure; nothing is judged here any more. */
import { createAddressSet, EMPTY_ADDRESS_SET } from '../formats/address-set.ts';
import { headerNameAsRead } from '../formats/header-name.ts';
import type {
  Access,
  Caps,
  Config,
  CrlSettings,
  EnrollmentSettings,
  Exempt,
  IdentityRule,
  ListenAddress,
  RateLimit,
  Restriction,
  Tls,
  TlsSettings,
  Upstream,
} from './config.ts';
import { pathBeside } from './acme-files.ts';
import type { WatchedFile } from './files.ts';
import { configHash } from './hash.ts';
import { resolveAcme } from './resolve-acme.ts';
import type { Groups } from './file-groups.ts';
import { verifiesClients } from './rules/authentication.ts';
import { matcherOf, passwordUsersOf } from './rules/identities.ts';
import type { Authentication } from './rules/rule.ts';
import type { RawCaps } from './schema-caps.ts';
import type { Raw, RawIdentity, RawTls } from './schema.ts';
import { tlsServerConfig } from './schema-web.ts';
import type { TlsVersion } from './tls-names.ts';

export interface Resolution {
  readonly file: string;
  readonly generation: number;
  readonly raw: Raw;
  readonly groups: Groups;
  readonly authentication: Authentication;
  readonly listen: readonly ListenAddress[];
  readonly files: readonly WatchedFile[];
}

/** Builds the Config of a configuration in which no rule found an error. */
export function resolveConfig(resolution: Resolution): Config {
  const { file, generation, raw, groups, authentication, listen, files } = resolution;
  return {
    file,
    generation,
    hash: configHash(raw, groups, listen),
    listen,
    http2: raw.http_server_config.http2,
    tls: resolveTls(resolution),
    acme: resolveAcme(raw.acme, groups.acme, file),
    enrollment: resolveEnrollment(resolution),
    crl: resolveCrl(resolution),
    authenticate: authentication.authenticate,
    users: groups.users,
    access: resolveAccess(raw),
    cors: raw.cors === undefined ? null : { origins: new Set(raw.cors.origins), maxAgeMs: raw.cors.max_age },
    exempt: raw.exempt.map(({ paths, from }): Exempt => ({ paths: new Set(paths), from: createAddressSet(from) })),
    lockout: {
      attempts: raw.lockout.attempts,
      windowMs: raw.lockout.window,
      durationMs: raw.lockout.duration,
      attemptsPerAddress: raw.lockout.attempts_per_address,
      exempt: createAddressSet(raw.lockout_exempt),
    },
    hashing: {
      workers: raw.password_hashing.workers,
      queue: raw.password_hashing.queue,
      queuePerAddress: raw.password_hashing.queue_per_address,
      deadlineMs: raw.password_hashing.deadline,
    },
    limits: {
      connections: raw.limits.connections,
      connectionsPerAddress: raw.limits.connections_per_address,
      handshakeTimeoutMs: raw.limits.handshake_timeout,
      headerTimeoutMs: raw.limits.header_timeout,
      sendTimeoutMs: raw.limits.send_timeout,
      idleTimeoutMs: raw.limits.idle_timeout,
      idleTimeoutUnauthenticatedMs: raw.limits.idle_timeout_unauthenticated,
      maxConnectionAgeMs: raw.max_connection_age,
    },
    rateLimit: resolveRateLimit(raw),
    upstreams: resolveUpstreams(raw, groups),
    setHeaderNames: namesOfSetHeaders(raw),
    identities: raw.identities?.map(resolveIdentity) ?? null,
    caps: resolveCaps(raw.caps),
    headers: resolveHeaders(raw),
    admin: { address: raw.admin_address, hosts: new Set(raw.admin_hosts) },
    accessLog: raw.access_log,
    drainTimeoutMs: raw.drain_timeout,
    shutdownDelayMs: raw.shutdown_delay,
    files: files.map(({ path, source }) => ({ path, source })),
  };
}

function resolveEnrollment({ raw: { enrollment }, file }: Resolution): EnrollmentSettings | null {
  if (enrollment === undefined) return null;
  const { authority, renew, renew_servers: renewServers } = enrollment;
  return { directory: pathBeside(file, authority), renew, renewServers };
}

function resolveCrl({ raw: { crl }, groups, file }: Resolution): CrlSettings {
  return {
    publish: crl?.publish ?? false,
    fetch: (crl?.fetch ?? []).map(({ url, file: written, interval }, index) => ({
      url,
      file: pathBeside(file, written),
      ca: groups.trust.fetchCas[index] ?? '',
      intervalMs: interval,
    })),
  };
}

function resolveTls({ raw, groups, authentication }: Resolution): Tls | null {
  if (!authentication.hasTls) return null;
  // With acme TLS is on without the section, and has its defaults.
  const tls = raw.tls_server_config ?? tlsServerConfig.parse({});
  const type = authentication.clientAuthType;
  // Under the other types the CA would be a promise that nothing keeps.
  const ca = verifiesClients(type) ? groups.trust.ca : [];
  return {
    settings: resolveSettings(tls),
    certificates: groups.certificates,
    trust: {
      type,
      ca: ca.map(({ pem }) => pem),
      caFingerprints: new Set(ca.map(({ fingerprint }) => fingerprint)),
      crls: groups.trust.crls,
      crlOnExpiry: tls.crl_on_expiry,
      allowedSans: tls.client_allowed_sans ?? [],
    },
  };
}

/** rules/tls.ts has warned of the versions that OpenSSL does not speak. */
const VERSIONS: Readonly<Record<TlsVersion, TlsSettings['minVersion']>> = {
  TLS10: 'TLSv1.2',
  TLS11: 'TLSv1.2',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};

function resolveSettings(tls: RawTls): TlsSettings {
  const ciphers = tls.cipher_suites.map(({ openssl }) => openssl).filter((name) => name !== null);
  // Nothing but suites of TLS 1.3 leaves TLS 1.2 without any, and OpenSSL takes an empty list for the default one.
  const onlyTls13 = tls.cipher_suites.length > 0 && ciphers.length === 0;
  return {
    minVersion: onlyTls13 ? 'TLSv1.3' : VERSIONS[tls.min_version],
    maxVersion: VERSIONS[tls.max_version],
    ciphers: ciphers.length > 0 ? ciphers : null,
    curves: tls.curve_preferences.length > 0 ? tls.curve_preferences : null,
    preferServerCiphers: tls.prefer_server_cipher_suites,
  };
}

function resolveAccess(raw: Raw): Access {
  const cidrs = raw.allow?.flatMap((entry) => ('cidr' in entry ? [entry.cidr] : [])) ?? [];
  return {
    allow: raw.allow === undefined ? null : createAddressSet(cidrs),
    allowHosts: raw.allow?.flatMap((entry) => ('host' in entry ? [entry.host] : [])) ?? [],
    deny: createAddressSet(raw.deny),
    trustedProxies: raw.trusted_proxies.length === 0 ? EMPTY_ADDRESS_SET : createAddressSet(raw.trusted_proxies),
  };
}

function resolveRateLimit({ rate_limit: limit }: Raw): RateLimit | null {
  if (limit === undefined || limit.interval === 0) return null;
  return { intervalMs: limit.interval, burst: limit.burst };
}

function resolveUpstreams(raw: Raw, groups: Groups): Upstream[] {
  const none = {
    authorization: { kind: 'none' },
    tls: { ca: null, clientCertificate: null, serverName: null },
  } as const;
  return raw.upstreams.map((upstream, index) => ({
    name: upstream.url.name,
    address: upstream.url.address,
    kind: upstream.kind ?? (upstream.url.address.kind === 'self' ? 'exporter' : 'prometheus'),
    pathPrefix: upstream.path_prefix,
    stripPrefix: upstream.strip_prefix,
    passCookies: upstream.pass_cookies,
    setHeaders: upstream.set_headers ?? NO_HEADERS,
    basePath: upstream.url.basePath,
    alsoAllow: upstream.also_allow.map(({ path, methods }) => ({
      path,
      methods: methods.includes('*') ? [] : methods,
    })),
    ...(groups.upstreams[index] ?? none),
    maxConnections: upstream.max_connections,
    maxQueue: upstream.max_queue,
    queueTimeoutMs: upstream.queue_timeout,
    connectTimeoutMs: upstream.connect_timeout,
    responseTimeoutMs: upstream.response_timeout,
    bodyTimeoutMs: upstream.body_timeout,
    requestBodyLimit: upstream.request_body_limit,
    lenientHttp: upstream.lenient_http,
    scrape: {
      compression: upstream.compression,
      compressionLevel: upstream.compression_level,
      // What a cookie decides about is not for anybody else.
      share: upstream.pass_cookies ? 'off' : upstream.share,
      maxAgeMs: upstream.max_age,
    },
  }));
}

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

function namesOfSetHeaders({ upstreams, identities = [] }: Raw): ReadonlySet<string> {
  const names = [...upstreams, ...identities].flatMap(({ set_headers: headers = NO_HEADERS }) => [...headers.keys()]);
  return new Set(names.map(headerNameAsRead));
}

function resolveIdentity(identity: RawIdentity): IdentityRule {
  const { name, certificates = [], allow_from: allowFrom, paths } = identity;
  return {
    name,
    passwordUsers: passwordUsersOf(identity),
    setHeaders: identity.set_headers ?? NO_HEADERS,
    certificates: certificates.map(matcherOf).filter((matcher) => matcher !== null),
    allowFrom: allowFrom === undefined ? null : createAddressSet(allowFrom),
    paths:
      paths === undefined
        ? null
        : {
            patterns: paths.flatMap((path) => ('pattern' in path ? [path.pattern] : [])),
            classes: new Set(paths.flatMap((path) => ('class' in path ? [path.class] : []))),
          },
    restriction: resolveRestriction(identity),
    denyMatch: identity.deny_match,
    caps: resolveCaps(identity.caps),
  };
}

function resolveCaps({ bytes, series, duration, concurrent_scrapes: concurrentScrapes }: RawCaps = {}): Caps {
  return {
    bytes: bytes ?? null,
    series: series ?? null,
    durationMs: duration ?? null,
    concurrentScrapes: concurrentScrapes ?? null,
  };
}

/** null when neither key is there; rules/restrictions.ts has refused empty ones. */
function resolveRestriction(identity: RawIdentity): Restriction | null {
  const { match, labels, exporter_page: exporterPage = 'filter' } = identity;
  if (match === undefined && labels === undefined) return null;
  return { match: match ?? [], labels: labels ?? [], exporterPage };
}

function resolveHeaders(raw: Raw): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw.http_server_config.headers)) {
    if (value !== undefined && value !== '') headers[name.toLowerCase()] = value;
  }
  return headers;
}
