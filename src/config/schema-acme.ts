/** The part of the schema about certificates from a CA by ACME (RFC 8555). No message holds anything of an HMAC key. */
import { isIP } from 'node:net';
import * as z from 'zod';
import { normalizeAddress } from '../formats/address-set.ts';
import { parseListenAddress } from '../formats/listen-address.ts';
import { didYouMean } from '../formats/suggest.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import type { ListenAddress } from '../formats/listen-address.ts';
import { isHostName } from './credentials.ts';
import { defaulted, duration, narrowing, oneOf, optional, scalar, text } from './scalars.ts';

/** Directories that have a name; `staging` is a trial of the same CA that needs no registration of its own. */
export const WELL_KNOWN = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  'letsencrypt-staging': 'https://acme-staging-v02.api.letsencrypt.org/directory',
  zerossl: 'https://acme.zerossl.com/v2/DV90',
  google: 'https://dv.acme-v02.api.pki.goog/directory',
} as const;

export interface DirectoryUrl {
  readonly url: string;
  /** As it is written: one of WELL_KNOWN, or the host of the URL. */
  readonly name: string;
}

const LONGEST_URL = 2048;

const directoryUrl = scalar('an https URL or the name of a CA', (value): Parsed<DirectoryUrl> => {
  const names = Object.keys(WELL_KNOWN);
  const known = Object.entries(WELL_KNOWN).find(([name, url]) => name === value || url === value);
  if (known !== undefined) return parsed({ name: known[0], url: known[1] });
  if (!value.includes('://')) {
    const near = didYouMean(value, names);
    const hint =
      near === null ? `write an https URL, or one of ${names.join(', ')}` : `did you mean ${JSON.stringify(near)}?`;
    return unparsed(`${JSON.stringify(value)} is neither a URL nor the name of a known CA`, hint);
  }
  const url = value.length > LONGEST_URL || !URL.canParse(value) ? null : new URL(value);
  if (url === null) return unparsed('not a URL');
  // Whoever sits in between would be the CA.
  if (url.protocol !== 'https:') return unparsed('the directory of a CA is an https URL');
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    return unparsed('the URL of a directory has neither credentials nor a fragment');
  }
  return parsed({ name: url.host, url: url.href });
});

/** A DNS name, with one leading `*.` if need be, or an IP address in its normal form. */
const domain = scalar('a DNS name or an IP address', (value): Parsed<string> => {
  if (isIP(value) !== 0) return parsed(normalizeAddress(value) ?? value);
  const name = value.startsWith('*.') ? value.slice(2) : value;
  const isWildcard = name !== value;
  if (isHostName(name) && !name.includes('_') && (!isWildcard || name.includes('.')))
    return parsed(value.toLowerCase());
  const hint = value.includes('*')
    ? 'a wildcard is one leading label, as in *.example.com'
    : /[^\x20-\x7e]/.test(value)
      ? 'write it in its ASCII form, xn--…'
      : /[:/]/.test(value)
        ? 'write the name alone, without scheme, port or path'
        : undefined;
  return unparsed(`${JSON.stringify(value)} is neither a DNS name nor an IP address`, hint);
});

const email = scalar('an e-mail address', (value): Parsed<string> =>
  value.length <= 254 && /^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+$/.test(value) && !/[,?&<>]/.test(value)
    ? parsed(value)
    : unparsed(`${JSON.stringify(value)} is not an e-mail address`),
);

const profile = scalar('the name of a profile', (value): Parsed<string> =>
  /^[A-Za-z0-9._-]{1,64}$/.test(value) ? parsed(value) : unparsed('not the name of a profile'),
);

const keyType = () => oneOf(['p256', 'p384', 'rsa2048', 'rsa4096']);

/** RFC 8555 §7.3.4: base64url; CAs hand it out with and without padding. */
export function parseHmacKey(value: string): Parsed<string> {
  const key = value.trim().replace(/=+$/, '');
  return /^[A-Za-z0-9_-]{16,512}$/.test(key)
    ? parsed(key)
    : unparsed('not an HMAC key', 'it is the base64url text that the CA gave beside the key id');
}

/** Never quoted: it is a secret. */
const hmacKey = scalar('the HMAC key of the CA', parseHmacKey);

const externalAccount = z.strictObject({
  key_id: text('the key id of the CA'),
  hmac_key: optional(hmacKey),
  hmac_key_file: optional(text('a file name')),
});

const directory = z.strictObject({
  directory_url: directoryUrl,
  ca_file: optional(text('a file name')),
  external_account_binding: optional(externalAccount),
});

const tcpAddress = scalar('an address such as :80', (value): Parsed<ListenAddress> => {
  const address = parseListenAddress(value);
  return address.ok && address.value.kind === 'unix' ? unparsed('a CA cannot ask a unix socket') : address;
});

const challenge = z.strictObject({
  type: defaulted(oneOf(['http-01', 'tls-alpn-01', 'dns-01']), 'http-01'),
  listen: defaulted(tcpAddress, ':80'),
  webroot: optional(text('a directory')),
  hook: optional(text('a program')),
  propagation: defaulted(duration(0), '60s'),
});

const certificate = z.strictObject({
  domains: z.array(domain),
  key_type: optional(keyType()),
  profile: optional(profile),
});

export const acme = z.strictObject({
  directory_url: defaulted(directoryUrl, 'letsencrypt'),
  ca_file: optional(text('a file name')),
  external_account_binding: optional(externalAccount),
  domains: narrowing(domain),
  certificates: narrowing(certificate),
  email: optional(email),
  profile: optional(profile),
  key_type: defaulted(keyType(), 'p256'),
  challenge: defaulted(
    z.preprocess((value) => (typeof value === 'string' ? { type: value } : value), challenge),
    {},
  ),
  state_dir: defaulted(text('a directory'), 'acme'),
  // A CA that needs no more than its name may be written as it is.
  fallback: defaulted(
    z.array(z.preprocess((value) => (typeof value === 'string' ? { directory_url: value } : value), directory)),
    [],
  ),
});

export type RawAcme = z.output<typeof acme>;
export type RawDirectory = z.output<typeof directory>;
