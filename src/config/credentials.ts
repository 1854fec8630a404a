/** How an identity names a certificate, as text → CertificateMatcher. Values are compared with DER-decoded ones later. */
import { isIP } from 'node:net';
import { normalizeAddress } from '../formats/address-set.ts';
import { parseSpkiPin } from '../formats/spki-pin.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import type { CertificateMatcher } from './config.ts';

const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** Whether a text is a host name (RFC 1123 §2.1): an all-numeric last label would be a mistyped address. */
export function isHostName(value: string): boolean {
  return value.length <= 253 && HOST_NAME.test(value) && !/(?:^|\.)\d+$/.test(value);
}

function dns(value: string): Parsed<CertificateMatcher> {
  const wildcard = value.startsWith('*.');
  const name = wildcard ? value.slice(2) : value;
  if (!isHostName(name) || (wildcard && !name.includes('.'))) {
    const hint = name.includes('*') || wildcard ? 'a wildcard is one leading label, as in *.example.com' : undefined;
    return unparsed(`${JSON.stringify(value)} is not a DNS name`, hint);
  }
  return parsed({ by: 'dns', value: name.toLowerCase(), wildcard });
}

function email(value: string): Parsed<CertificateMatcher> {
  if (!/^[^\s@*]+@[^\s@*]+$/.test(value)) return unparsed(`${JSON.stringify(value)} is not an e-mail address`);
  return parsed({ by: 'email', value, wildcard: false });
}

function uri(value: string): Parsed<CertificateMatcher> {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:[^\s*]+$/.test(value)) return unparsed(`${JSON.stringify(value)} is not a URI`);
  return parsed({ by: 'uri', value, wildcard: false });
}

function ip(value: string): Parsed<CertificateMatcher> {
  const address = normalizeAddress(value);
  if (address === null) return unparsed(`${JSON.stringify(value)} is not an IP address`);
  return parsed({ by: 'ip', value: address, wildcard: false });
}

function cn(value: string): Parsed<CertificateMatcher> {
  return parsed({ by: 'cn', value });
}

function spki(value: string): Parsed<CertificateMatcher> {
  const pin = parseSpkiPin(value);
  return pin.ok ? parsed({ by: 'spki', value: pin.value }) : pin;
}

/** `san: x` is an IP address if it is one, else e-mail if it has an @, else a URI if it has ://, else a DNS name. */
function san(value: string): Parsed<CertificateMatcher> {
  if (isIP(value) !== 0) return ip(value);
  // A URI may well have an @ in it (spiffe://trust@domain/…), an e-mail address has no ://.
  if (value.includes('@') && !value.includes('://')) return email(value);
  return value.includes('://') ? uri(value) : dns(value);
}

export const MATCHER_READERS = { san, dns, email, uri, ip, cn, spki } as const;
