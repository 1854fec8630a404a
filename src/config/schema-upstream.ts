/** The schema of one entry of `upstreams`. Secrets come from files, never from the YAML. */
import * as z from 'zod';
import { parsePathPattern } from '../formats/path-pattern.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { UPSTREAM_KINDS } from '../request/endpoints.ts';
import { boolean, byteSize, defaulted, duration, integer, oneOf, optional, scalar, text } from './scalars.ts';
import { setHeaders } from './schema-set-headers.ts';
import { parseUpstreamUrl } from './upstream-url.ts';

/** `/` or `/a/b`; a trailing slash is the same prefix. */
const pathPrefix = scalar('a path such as /prometheus', (value): Parsed<string> => {
  const pattern = parsePathPattern(value === '/' ? value : value.replace(/\/$/, ''));
  if (!pattern.ok) return pattern;
  return pattern.value.kind === 'exact'
    ? parsed(pattern.value.path)
    : unparsed(`${JSON.stringify(value)} is a pattern, expected a path`, 'a prefix covers everything below it');
});

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', '*'] as const;

const grant = z.strictObject({
  path: scalar('a path, or a path ending in /*', parsePathPattern),
  methods: z.array(oneOf(METHODS)),
});

const headerToken = scalar('a scheme such as Bearer', (value): Parsed<string> =>
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(value) ? parsed(value) : unparsed('not an authorization scheme'),
);

const userName = scalar('a user name', (value): Parsed<string> =>
  // eslint-disable-next-line no-control-regex -- RFC 7617 forbids exactly these
  value === '' || /[:\x00-\x1f\x7f]/.test(value) ? unparsed('not a user name of basic authentication') : parsed(value),
);

export const upstream = z.strictObject({
  url: scalar('a URL', parseUpstreamUrl),
  kind: optional(oneOf(UPSTREAM_KINDS)),
  path_prefix: defaulted(pathPrefix, '/'),
  strip_prefix: defaulted(boolean(), 'false'),
  pass_cookies: defaulted(boolean(), 'false'),
  set_headers: setHeaders,
  also_allow: defaulted(z.array(grant), []),
  max_connections: defaulted(integer(1, 4096), '64'),
  max_queue: defaulted(integer(0, 100_000), '256'),
  queue_timeout: defaulted(duration(), '5s'),
  connect_timeout: defaulted(duration(), '5s'),
  response_timeout: defaulted(duration(), '130s'),
  body_timeout: defaulted(duration(), '60s'),
  request_body_limit: defaulted(byteSize(), '10MB'),
  lenient_http: defaulted(boolean(), 'true'),
  compression: defaulted(oneOf(['auto', 'gate', 'upstream']), 'auto'),
  compression_level: defaulted(integer(1, 9), '1'),
  share: defaulted(oneOf(['off', 'identity', 'across_identities']), 'identity'),
  max_age: defaulted(duration(0), '0s'),
  tls_config: optional(
    z.strictObject({
      ca_file: optional(text('a file name')),
      cert_file: optional(text('a file name')),
      key_file: optional(text('a file name')),
      server_name: optional(text('a host name')),
    }),
  ),
  authorization: optional(
    z.strictObject({ type: defaulted(headerToken, 'Bearer'), credentials_file: text('a file name') }),
  ),
  basic_auth: optional(z.strictObject({ username: userName, password_file: text('a file name') })),
});
