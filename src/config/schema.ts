/**
 * What the user wrote: the one strict schema of promgate.yml. Every leaf is parsed here, every default stands here as it
 * would be written; what several keys mean together is decided in rules/.
 */
import * as z from 'zod';
import { parseCidr } from '../formats/address-set.ts';
import type { Cidr } from '../formats/address-set.ts';
import { parseListenAddress } from '../formats/listen-address.ts';
import { parsePathPattern } from '../formats/path-pattern.ts';
import { didYouMean } from '../formats/suggest.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { PATH_CLASSES } from '../request/endpoints.ts';
import type { EndpointClass } from '../request/endpoints.ts';
import type { PathPattern } from '../formats/path-pattern.ts';
import type { AdminAddress } from './config.ts';
import { isHostName, MATCHER_READERS } from './credentials.ts';
import {
  boolean,
  defaulted,
  duration,
  durationOrOff,
  integer,
  narrowing,
  oneOf,
  optional,
  scalar,
  text,
} from './scalars.ts';
import { basicAuthUsers, httpServerConfig, rateLimit, tlsServerConfig } from './schema-web.ts';
import { caps } from './schema-caps.ts';
import { cors } from './schema-cors.ts';
import { seriesKeys } from './schema-series.ts';
import { setHeaders } from './schema-set-headers.ts';
import { upstream } from './schema-upstream.ts';
import { acme } from './schema-acme.ts';
import { crl } from './schema-crl.ts';

const listenAddress = scalar('an address such as :9095 or 127.0.0.1:9095', parseListenAddress);

const adminAddress = scalar('an address such as 127.0.0.1:9096, unix:/PATH or off', (value): Parsed<AdminAddress> =>
  value === 'off' ? parsed({ kind: 'off' }) : parseListenAddress(value),
);

const addressOnly = scalar('an address or a CIDR', (value): Parsed<Cidr> =>
  isHostName(value)
    ? unparsed(
        `${JSON.stringify(value)} is a host name, expected an address or a CIDR`,
        'host names stand only in allow',
      )
    : parseCidr(value),
);

export type AllowEntry = { readonly host: string } | { readonly cidr: Cidr };

const allowEntry = scalar('an address, a CIDR or a host name', (value): Parsed<AllowEntry> => {
  if (isHostName(value)) return parsed({ host: value.toLowerCase() });
  const result = parseCidr(value);
  return result.ok ? parsed({ cidr: result.value }) : result;
});

const hostName = scalar('a host name', (value): Parsed<string> =>
  isHostName(value) ? parsed(value.toLowerCase()) : unparsed(`${JSON.stringify(value)} is not a host name`),
);

const exactPath = scalar('a path such as /-/healthy', (value): Parsed<string> => {
  const pattern = parsePathPattern(value);
  if (!pattern.ok) return pattern;
  return pattern.value.kind === 'exact'
    ? parsed(pattern.value.path)
    : unparsed(`${JSON.stringify(value)} is a pattern, expected an exact path`, 'list each path');
});

export type IdentityPath = { readonly class: EndpointClass } | { readonly pattern: PathPattern };

const identityPath = scalar(
  'a path, a path ending in /*, or a class such as @scrape',
  (value): Parsed<IdentityPath> => {
    const names = Object.keys(PATH_CLASSES);
    if (!value.startsWith('@')) {
      const pattern = parsePathPattern(value);
      if (pattern.ok) return parsed({ pattern: pattern.value });
      const isClass = names.includes(`@${value}`);
      return isClass ? unparsed('a class begins with "@", a path with "/"', `write '@${value}'`) : pattern;
    }
    const name = Object.entries(PATH_CLASSES).find(([known]) => known === value)?.[1];
    if (name !== undefined) return parsed({ class: name });
    const near = didYouMean(value, names);
    const hint = near === null ? `the classes are ${names.join(', ')}` : `did you mean ${JSON.stringify(near)}?`;
    return unparsed(`unknown class ${JSON.stringify(value)}`, hint);
  },
);

const certificateMatcher = z.strictObject({
  san: optional(scalar('a subject alternative name', MATCHER_READERS.san)),
  dns: optional(scalar('a DNS name', MATCHER_READERS.dns)),
  email: optional(scalar('an e-mail address', MATCHER_READERS.email)),
  uri: optional(scalar('a URI', MATCHER_READERS.uri)),
  ip: optional(scalar('an IP address', MATCHER_READERS.ip)),
  cn: optional(scalar('a common name', MATCHER_READERS.cn)),
  spki: optional(scalar('the SHA-256 of a public key', MATCHER_READERS.spki)),
});

const identity = z.strictObject({
  name: text('a name'),
  password_users: narrowing(text('a user name')),
  certificates: narrowing(certificateMatcher),
  allow_from: narrowing(addressOnly),
  paths: narrowing(identityPath),
  set_headers: setHeaders,
  ...seriesKeys,
  caps,
});

const lockout = z.strictObject({
  attempts: defaulted(integer(1, 100_000), '10'),
  window: defaulted(duration(1000), '1m'),
  duration: defaulted(duration(1000), '5m'),
  attempts_per_address: defaulted(integer(1, 1_000_000), '50'),
});

const passwordHashing = z.strictObject({
  workers: defaulted(integer(1, 16), '1'),
  queue: defaulted(integer(1, 100_000), '64'),
  queue_per_address: defaulted(integer(1, 100_000), '8'),
  deadline: defaulted(duration(100), '10s'),
});

const limits = z.strictObject({
  connections: defaulted(integer(1, 1_000_000), '4096'),
  connections_per_address: defaulted(integer(1, 1_000_000), '256'),
  handshake_timeout: defaulted(duration(), '10s'),
  header_timeout: defaulted(duration(), '10s'),
  send_timeout: defaulted(duration(), '30s'),
  idle_timeout: defaulted(duration(), '330s'),
  idle_timeout_unauthenticated: defaulted(duration(), '10s'),
});

const enrollment = z.strictObject({
  authority: defaulted(text('a directory'), 'certs'),
  renew: defaulted(boolean(), 'false'),
  renew_servers: defaulted(boolean(), 'false'),
});

export const schema = z.strictObject({
  tls_server_config: optional(tlsServerConfig),
  acme: optional(acme),
  enrollment: optional(enrollment),
  crl: optional(crl),
  http_server_config: defaulted(httpServerConfig, {}),
  basic_auth_users: defaulted(basicAuthUsers, {}),
  rate_limit: optional(rateLimit),
  listen_addresses: defaulted(z.array(listenAddress), [':9095']),
  plain_http: defaulted(boolean(), 'false'),
  admin_address: defaulted(adminAddress, '127.0.0.1:9096'),
  admin_hosts: defaulted(z.array(hostName), []),
  htpasswd_file: optional(text('a file name')),
  authenticate: optional(oneOf(['password', 'certificate', 'either', 'both', 'none'])),
  allow: narrowing(allowEntry),
  deny: defaulted(z.array(addressOnly), []),
  trusted_proxies: defaulted(z.array(addressOnly), []),
  cors: optional(cors),
  exempt: defaulted(z.array(z.strictObject({ paths: z.array(exactPath), from: z.array(addressOnly) })), []),
  lockout: defaulted(lockout, {}),
  lockout_exempt: defaulted(z.array(addressOnly), []),
  password_hashing: defaulted(passwordHashing, {}),
  limits: defaulted(limits, {}),
  max_connection_age: defaulted(durationOrOff(1000), 'off'),
  upstreams: defaulted(z.array(upstream), [{ url: 'http://127.0.0.1:9090' }]),
  identities: narrowing(identity),
  caps,
  access_log: defaulted(boolean(), 'false'),
  drain_timeout: defaulted(duration(0), '10s'),
  shutdown_delay: defaulted(duration(0), '0s'),
});

export type Raw = z.output<typeof schema>;
export type RawTls = NonNullable<Raw['tls_server_config']>;
export type RawUpstream = Raw['upstreams'][number];
export type RawIdentity = NonNullable<Raw['identities']>[number];
export type RawMatcher = NonNullable<RawIdentity['certificates']>[number];
