/**
 * The part of the schema that every web.yml of the exporter-toolkit has: same names, same values, same defaults, and the
 * few keys of ours that sit among them. Never stricter than the toolkit, except where architecture.md says so.
 */
import * as z from 'zod';
import { credentialId, parseHash, userFault } from '../formats/htpasswd.ts';
import { PASSWD_HINT } from '../formats/htpasswd-hash.ts';
import type { HtpasswdHash } from '../formats/htpasswd.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import {
  blankable,
  boolean,
  defaulted,
  describeShape,
  goDuration,
  integer,
  oneOf,
  optional,
  scalar,
  text,
} from './scalars.ts';
import type { LeafFault } from './scalars.ts';
import { parseCipher, parseCurve, TLS_VERSIONS } from './tls-names.ts';

export const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;

const certificatePair = z.strictObject({ cert_file: text('a file name'), key_file: text('a file name') });

export const tlsServerConfig = z.strictObject({
  cert: optional(blankable('a PEM certificate')),
  key: optional(blankable('a PEM private key')),
  client_ca: optional(blankable('PEM certificates')),
  cert_file: optional(blankable('a file name')),
  key_file: optional(blankable('a file name')),
  additional_certificates: defaulted(z.array(certificatePair), []),
  client_auth_type: optional(
    oneOf(CLIENT_AUTH_TYPES, { '': 'NoClientCert', RequireClientCert: 'RequireAnyClientCert' }),
  ),
  client_ca_file: optional(blankable('a file name')),
  client_crl_files: defaulted(z.array(text('a file name')), []),
  crl_on_expiry: defaulted(oneOf(['deny', 'warn']), 'deny'),
  client_allowed_sans: optional(z.array(text('a subject alternative name'))),
  min_version: defaulted(oneOf(TLS_VERSIONS), 'TLS12'),
  max_version: defaulted(oneOf(TLS_VERSIONS), 'TLS13'),
  cipher_suites: defaulted(z.array(scalar('a cipher suite', parseCipher)), []),
  prefer_server_cipher_suites: defaulted(boolean(), 'true'),
  curve_preferences: defaulted(z.array(scalar('a curve', parseCurve)), []),
});

/** A header value that Node can send: visible ASCII, spaces and tabs (RFC 9110 §5.5). */
const headerValue = scalar('a header value', (value): Parsed<string> =>
  /^[\t\x20-\x7e]*$/.test(value) ? parsed(value) : unparsed('a header value has only printable ASCII characters'),
);

const headers = z.strictObject({
  'Content-Security-Policy': optional(headerValue),
  'X-Frame-Options': optional(oneOf(['deny', 'sameorigin'], {}, true)),
  'X-Content-Type-Options': optional(oneOf(['nosniff'], {}, true)),
  'X-XSS-Protection': optional(headerValue),
  'Strict-Transport-Security': optional(headerValue),
});

export const httpServerConfig = z.strictObject({
  http2: defaulted(boolean(), 'true'),
  headers: defaulted(headers, {}),
});

export const rateLimit = z.strictObject({
  interval: defaulted(goDuration(), '0'),
  burst: defaulted(integer(0, 1_000_000), '1'),
});

export interface RawUser {
  readonly user: string;
  readonly hash: HtpasswdHash;
  readonly id: string;
}

/** White space around a hash comes of block scalars and templates; the toolkit looks at the 60 characters of bcrypt alone. */
function readHash(user: string, value: unknown): Parsed<HtpasswdHash> {
  const fault = userFault(user);
  if (fault !== null) return unparsed(fault);
  if (typeof value !== 'string' || value === '') {
    const found = typeof value === 'string' ? 'nothing' : describeShape(value);
    return unparsed(`expected a password hash, found ${found}`, PASSWD_HINT);
  }
  return parseHash(value.trim());
}

/** A list, not a record: a record would lose a user called `__proto__`. */
export const basicAuthUsers = z.unknown().transform((value, context): readonly RawUser[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const found = typeof value === 'string' ? 'a text' : describeShape(value);
    context.addIssue({
      code: 'custom',
      message: '',
      params: { expected: 'a map of users to hashes', found } satisfies LeafFault,
    });
    return z.NEVER;
  }
  const users: RawUser[] = [];
  for (const [user, hashText] of Object.entries(value) as [string, unknown][]) {
    const hash = readHash(user, hashText);
    if (hash.ok) {
      users.push({ user, hash: hash.value, id: credentialId(user, String(hashText).trim()) });
    } else {
      const params: LeafFault = hash.hint === undefined ? {} : { hint: hash.hint };
      context.addIssue({ code: 'custom', message: hash.message, path: [user], params });
    }
  }
  return users;
});
