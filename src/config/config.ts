/**
 * What runs: every value parsed, every file read, every default filled in. Readonly; unions instead of optional flags.
 * Types only. The text is in parse.ts, what the user wrote in schema.ts.
 */
import type { EndpointClass, UpstreamKind } from '../request/endpoints.ts';
import type { AddressSet } from '../formats/address-set.ts';
import type { HtpasswdHash } from '../formats/htpasswd.ts';
import type { Crl } from '../formats/crl.ts';
import type { ListenAddress } from '../formats/listen-address.ts';
import type { PathPattern } from '../formats/path-pattern.ts';
import type { Matcher, Selector } from '../promql/selector.ts';
import type { AcmeSettings } from './acme-settings.ts';

export type { AcmeDirectory, AcmeSettings, ChallengeSettings, WantedCertificate } from './acme-settings.ts';

/** What reloads apart from the others. `config` is the YAML with all its files. */
export const CONFIG_SOURCES = ['config', 'certificate', 'client_ca', 'htpasswd'] as const;
export type ConfigSource = (typeof CONFIG_SOURCES)[number];

export type ClientAuthType =
  | 'NoClientCert'
  | 'RequestClientCert'
  | 'RequireAnyClientCert'
  | 'VerifyClientCertIfGiven'
  | 'RequireAndVerifyClientCert';

export type Authenticate = 'password' | 'certificate' | 'either' | 'both' | 'none';

export type { ListenAddress } from '../formats/listen-address.ts';

export interface KeyPair {
  /** PEM: leaf first, then intermediates. */
  readonly cert: string;
  readonly key: string;
  /** Where they came from, for messages and metrics; `inline` for `cert`/`key` in the YAML. */
  readonly name: string;
  /** DNS names and IP addresses of the leaf, lower case. */
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serial: string;
  readonly issuer: string;
  readonly keyType: string;
}

/** Whom TLS clients are verified against. One generation counter for everything in it: `generation`. */
export interface ClientTrust {
  readonly type: ClientAuthType;
  /** PEM certificates; empty when clients are not verified. */
  readonly ca: readonly string[];
  /** SHA-256 fingerprints (upper-case hex, no colons) of `ca`. */
  readonly caFingerprints: ReadonlySet<string>;
  readonly crls: readonly Crl[];
  /** What an expired list means: `deny` refuses everybody, `warn` those whom it lists. */
  readonly crlOnExpiry: 'deny' | 'warn';
  readonly allowedSans: readonly string[];
}

export interface TlsSettings {
  readonly minVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL names for TLS ≤ 1.2, in order; null: Node's defaults. */
  readonly ciphers: readonly string[] | null;
  /** OpenSSL group names; null: defaults. */
  readonly curves: readonly string[] | null;
  readonly preferServerCiphers: boolean;
}

export interface Tls {
  readonly settings: TlsSettings;
  /** The first is the default; the others are chosen by SNI. */
  readonly certificates: readonly KeyPair[];
  readonly trust: ClientTrust;
}

/** One accepted password of a user: `id` identifies the line (a change of it lifts lockouts and empties the cache). */
export interface UserLine {
  readonly id: string;
  readonly hash: HtpasswdHash;
}

export type Users = ReadonlyMap<string, readonly UserLine[]>;

export interface Exempt {
  readonly paths: ReadonlySet<string>;
  readonly from: AddressSet;
}

export interface Access {
  /** null: everyone. */
  readonly allow: AddressSet | null;
  /** Host names in `allow`; resolved at run time (accept/host-names.ts). */
  readonly allowHosts: readonly string[];
  readonly deny: AddressSet;
  readonly trustedProxies: AddressSet;
}

export interface Lockout {
  readonly attempts: number;
  readonly windowMs: number;
  readonly durationMs: number;
  /** Distinct wrong credentials of one address within the window, over all user names. */
  readonly attemptsPerAddress: number;
  readonly exempt: AddressSet;
}

export interface Hashing {
  readonly workers: number;
  readonly queue: number;
  readonly queuePerAddress: number;
  readonly deadlineMs: number;
}

export interface Limits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly handshakeTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly idleTimeoutUnauthenticatedMs: number;
  /** null: connections do not age. */
  readonly maxConnectionAgeMs: number | null;
}

export interface RateLimit {
  /** One token every so many milliseconds. */
  readonly intervalMs: number;
  readonly burst: number;
}

export interface EndpointGrant {
  readonly path: PathPattern;
  /** Empty: every method. */
  readonly methods: readonly string[];
}

export type UpstreamAddress =
  | { readonly kind: 'http' | 'https'; readonly origin: string; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly socketPath: string }
  | { readonly kind: 'self' };

export type UpstreamAuthorization =
  | { readonly kind: 'none' }
  /** The whole value of the Authorization header; never logged. */
  | { readonly kind: 'header'; readonly value: string };

export interface UpstreamTls {
  /** PEM certificates of the CA; null: the system's roots. */
  readonly ca: readonly string[] | null;
  readonly clientCertificate: { readonly cert: string; readonly key: string } | null;
  readonly serverName: string | null;
}

export interface Upstream {
  /** As configured, without credentials: the label in metrics and logs. */
  readonly name: string;
  readonly address: UpstreamAddress;
  readonly kind: UpstreamKind;
  /** `/` or `/a/b`, never with a trailing slash otherwise. */
  readonly pathPrefix: string;
  readonly stripPrefix: boolean;
  /** Whether Cookie and Set-Cookie pass; for kind any only. */
  readonly passCookies: boolean;
  /** Set on every request upstream: lower-case names. */
  readonly setHeaders: ReadonlyMap<string, string>;
  /** A base path of `url`, put before the path; empty or `/a`. */
  readonly basePath: string;
  readonly alsoAllow: readonly EndpointGrant[];
  readonly authorization: UpstreamAuthorization;
  readonly tls: UpstreamTls;
  readonly maxConnections: number;
  readonly maxQueue: number;
  readonly queueTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Time to the response headers. */
  readonly responseTimeoutMs: number;
  /** Longest silence within a body; does not apply to server-sent events. */
  readonly bodyTimeoutMs: number;
  readonly requestBodyLimit: number;
  /** Whether its answers are read as Go's client reads them, where that has one meaning. */
  readonly lenientHttp: boolean;
  readonly scrape: ScrapeSettings;
}

/** How scrapes of one upstream are answered. */
export interface ScrapeSettings {
  /** Who compresses: `auto` is the gate for an upstream on this host (loopback, unix socket), else the upstream. */
  readonly compression: 'auto' | 'gate' | 'upstream';
  /** zlib's, 1 to 9. */
  readonly compressionLevel: number;
  /** Identical scrapes in flight share one upstream request: not at all, those of one identity, or everybody's. */
  readonly share: 'off' | 'identity' | 'across_identities';
  /** For how long the answer of a `/federate` is given again; 0: not. */
  readonly maxAgeMs: number;
}

/** The most that one identity may take in one scrape, and at once; null: no such cap. */
export interface Caps {
  /** Bytes of one answer before the gate compresses it. */
  readonly bytes: number | null;
  readonly series: number | null;
  readonly durationMs: number | null;
  readonly concurrentScrapes: number | null;
}

/** Which series an identity may see; enforced by narrowing what it asks. */
export interface Restriction {
  /** A series must match one of them; empty: there is no such rule. */
  readonly match: readonly Selector[];
  /** Every one must hold for every series. Empty: there is no such rule. */
  readonly labels: readonly Matcher[];
  /** What becomes of an exporter's whole page for this identity. */
  readonly exporterPage: 'filter' | 'refuse';
}

/** How an identity names a certificate. */
export type CertificateMatcher =
  | { readonly by: 'dns' | 'email' | 'uri' | 'ip'; readonly value: string; readonly wildcard: boolean }
  | { readonly by: 'cn'; readonly value: string }
  /** SHA-256 of the public key, lower-case hex. */
  | { readonly by: 'spki'; readonly value: string };

export interface IdentityRule {
  readonly name: string;
  readonly passwordUsers: readonly string[];
  readonly certificates: readonly CertificateMatcher[];
  /** null: from everywhere. */
  readonly allowFrom: AddressSet | null;
  /** Set on its requests upstream, before those of the upstream: lower-case names. */
  readonly setHeaders: ReadonlyMap<string, string>;
  /** null: everything that the kind table has, `@internals` excepted. */
  readonly paths: { readonly patterns: readonly PathPattern[]; readonly classes: ReadonlySet<EndpointClass> } | null;
  /** null: it may see every series. */
  readonly restriction: Restriction | null;
  /** Selectors that it may not ask for, as written (a convenience: the boundary is the caps). */
  readonly denyMatch: readonly Selector[];
  readonly caps: Caps;
}

/** How clients and servers get certificates over the gate. */
export interface EnrollmentSettings {
  /** Of the own CA; absolute. */
  readonly directory: string;
  /** Whether a client certificate of this CA may be renewed with itself. */
  readonly renew: boolean;
  /** Whether a server certificate of this CA may be renewed by whoever has its key. */
  readonly renewServers: boolean;
}

/** Which pages of other origins may ask here (CORS). */
export interface Cors {
  /** As a browser writes them: `https://grafana.example.com`. */
  readonly origins: ReadonlySet<string>;
  /** How long a browser may remember the answer to a preflight. */
  readonly maxAgeMs: number;
}

/** How revocation lists get from the gate that has the CA to the others. */
export interface CrlSettings {
  /** Whether the lists in force are given to all who may speak. */
  readonly publish: boolean;
  readonly fetch: readonly CrlFetch[];
}

/** A list that is fetched, and kept in one of `client_crl_files`. */
export interface CrlFetch {
  readonly url: string;
  /** Absolute. */
  readonly file: string;
  /** PEM certificates that the server is verified against, and no others. */
  readonly ca: string;
  readonly intervalMs: number;
}

export type AdminAddress = ListenAddress | { readonly kind: 'off' };

export interface Admin {
  readonly address: AdminAddress;
  /** Host names (beside IP literals and localhost) to which the admin listener answers. */
  readonly hosts: ReadonlySet<string>;
}

export interface Config {
  readonly file: string;
  /** 1 for the first, one more for each that came to run. */
  readonly generation: number;
  /** The first 12 hex digits of a SHA-256 over what was configured, secrets and private keys left out. */
  readonly hash: string;
  readonly listen: readonly ListenAddress[];
  readonly http2: boolean;
  /** null: plain HTTP. With `acme` its certificates are those to be served until the CA's are laid over them. */
  readonly tls: Tls | null;
  /** null: certificates come from files. */
  readonly acme: AcmeSettings | null;
  /** null: nobody gets a certificate over the gate. */
  readonly enrollment: EnrollmentSettings | null;
  readonly crl: CrlSettings;
  readonly authenticate: Authenticate;
  readonly users: Users;
  readonly access: Access;
  readonly exempt: readonly Exempt[];
  /** null: a page of another origin learns nothing. */
  readonly cors: Cors | null;
  readonly lockout: Lockout;
  readonly hashing: Hashing;
  readonly limits: Limits;
  readonly rateLimit: RateLimit | null;
  readonly upstreams: readonly Upstream[];
  /** Names of all `set_headers`, with a dash for what is neither letter nor digit: a client's own never goes upstream. */
  readonly setHeaderNames: ReadonlySet<string>;
  /** null: every authenticated identity may do what `kind` allows. */
  readonly identities: readonly IdentityRule[] | null;
  /** For whoever has no entry in `identities`, `anonymous` included; an entry's own stand beside it. */
  readonly caps: Caps;
  /** `http_server_config.headers`, lower-case names; on every answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly admin: Admin;
  readonly accessLog: boolean;
  readonly drainTimeoutMs: number;
  readonly shutdownDelayMs: number;
  /** Every file that was read, absolute, with the group to which it belongs: what to watch. */
  readonly files: readonly { readonly path: string; readonly source: ConfigSource }[];
}
