/** Configurations with every default filled in; each test changes what it is about. */
import type { AcmeSettings, Caps, Config, IdentityRule, Limits, Tls, Upstream } from '../../src/config/config.ts';
import { EMPTY_ADDRESS_SET } from '../../src/formats/address-set.ts';

export const LIMITS: Limits = {
  connections: 4096,
  connectionsPerAddress: 256,
  handshakeTimeoutMs: 10_000,
  headerTimeoutMs: 10_000,
  sendTimeoutMs: 30_000,
  idleTimeoutMs: 330_000,
  idleTimeoutUnauthenticatedMs: 10_000,
  maxConnectionAgeMs: null,
};

export const TLS_SETTINGS: Tls['settings'] = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: null,
  curves: null,
  preferServerCiphers: true,
};

export function upstreamOf(changes: Partial<Upstream> = {}): Upstream {
  return {
    name: 'http://127.0.0.1:9090',
    address: { kind: 'http', origin: 'http://127.0.0.1:9090', host: '127.0.0.1', port: 9090 },
    kind: 'prometheus',
    pathPrefix: '/',
    stripPrefix: false,
    passCookies: false,
    setHeaders: new Map(),
    basePath: '',
    alsoAllow: [],
    authorization: { kind: 'none' },
    tls: { ca: null, clientCertificate: null, serverName: null },
    maxConnections: 64,
    maxQueue: 64,
    queueTimeoutMs: 5000,
    connectTimeoutMs: 5000,
    responseTimeoutMs: 120_000,
    bodyTimeoutMs: 60_000,
    requestBodyLimit: 1024 * 1024,
    lenientHttp: true,
    scrape: { compression: 'upstream', compressionLevel: 1, share: 'off', maxAgeMs: 0 },
    ...changes,
  };
}

export const NO_CAPS: Caps = { bytes: null, series: null, durationMs: null, concurrentScrapes: null };

export function identityOf(changes: Partial<IdentityRule> = {}): IdentityRule {
  return {
    name: 'master',
    passwordUsers: ['prom'],
    setHeaders: new Map(),
    certificates: [],
    allowFrom: null,
    paths: null,
    restriction: null,
    denyMatch: [],
    caps: NO_CAPS,
    ...changes,
  };
}

export function upstreamAt(port: number, changes: Partial<Upstream> = {}): Upstream {
  const origin = `http://127.0.0.1:${port}`;
  return upstreamOf({ name: origin, address: { kind: 'http', origin, host: '127.0.0.1', port }, ...changes });
}

export function tlsOf(changes: Partial<Tls> = {}): Tls {
  return {
    settings: TLS_SETTINGS,
    certificates: [],
    trust: { type: 'NoClientCert', ca: [], caFingerprints: new Set(), crls: [], crlOnExpiry: 'deny', allowedSans: [] },
    ...changes,
  };
}

export function acmeOf(name: string): AcmeSettings {
  return {
    directories: [{ url: 'https://ca.example.com/directory', name: 'ca.example.com', ca: null, externalAccount: null }],
    staging: null,
    email: null,
    certificates: [{ names: [name], keyType: 'p256', profile: null }],
    challenge: { kind: 'http-01', listen: ':80' },
    stateDirectory: '/var/lib/promgate/acme',
  };
}

export function configOf(changes: Partial<Config> = {}): Config {
  return {
    file: '/etc/promgate/promgate.yml',
    generation: 1,
    hash: 'abcdef012345',
    listen: [{ kind: 'tcp', host: null, port: 9095, text: ':9095' }],
    http2: true,
    tls: null,
    acme: null,
    enrollment: null,
    crl: { publish: false, fetch: [] },
    authenticate: 'none',
    users: new Map(),
    access: {
      allow: null,
      allowHosts: [],
      deny: EMPTY_ADDRESS_SET,
      trustedProxies: EMPTY_ADDRESS_SET,
    },
    cors: null,
    setHeaderNames: new Set(),
    exempt: [],
    lockout: {
      attempts: 10,
      windowMs: 60_000,
      durationMs: 300_000,
      attemptsPerAddress: 50,
      exempt: EMPTY_ADDRESS_SET,
    },
    hashing: { workers: 1, queue: 64, queuePerAddress: 8, deadlineMs: 10_000 },
    limits: LIMITS,
    rateLimit: null,
    upstreams: [upstreamOf()],
    identities: null,
    caps: NO_CAPS,
    headers: {},
    admin: { address: { kind: 'tcp', host: '127.0.0.1', port: 0, text: '127.0.0.1:0' }, hosts: new Set() },
    accessLog: false,
    drainTimeoutMs: 10_000,
    shutdownDelayMs: 0,
    files: [],
    ...changes,
  };
}
