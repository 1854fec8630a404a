/** What a certificate may be made out to. Names are judged here, before they are signed. */
import { isIP } from 'node:net';

export interface AlternativeName {
  readonly type: 'dns' | 'ip' | 'email' | 'uri';
  readonly value: string;
}

/** Underscores are no host name characters (RFC 952), but Docker and Windows use them, and Go and OpenSSL match them. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const EMAIL = /^[\x21-\x3f\x41-\x7e]{1,64}@[A-Za-z0-9.-]{1,253}$/;
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]{1,2000}$/;

/** A DNS name of at most 253 characters, optionally with one leading `*.`; RFC 5280 §4.2.1.6, RFC 6125 §6.4.3. */
export function isDnsName(text: string): boolean {
  if (text.length === 0 || text.length > 253 || isIP(text) !== 0) return false;
  const labels = text.toLowerCase().split('.');
  if (labels[0] === '*' && labels.length > 2) labels.shift();
  // What ends in a number is an address to a URL parser, or nothing.
  return labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '');
}

/**
 * Tells addresses from DNS names.
 * @throws {TypeError} when the text is neither.
 */
export function serverName(text: string): AlternativeName {
  if (isIP(text) !== 0) return { type: 'ip', value: text };
  if (isDnsName(text)) return { type: 'dns', value: text.toLowerCase() };
  throw new TypeError(`${JSON.stringify(text)} is neither a DNS name nor an IP address`);
}

/** @throws {TypeError} when a name is not what its type says. */
export function checkName(name: AlternativeName): AlternativeName {
  const valid = {
    dns: isDnsName,
    ip: (text: string) => isIP(text) !== 0,
    email: (text: string) => EMAIL.test(text),
    uri: (text: string) => URI.test(text),
  }[name.type](name.value);
  if (!valid) throw new TypeError(`${JSON.stringify(name.value)} is not a valid ${name.type} name`);
  return name.type === 'dns' ? { type: 'dns', value: name.value.toLowerCase() } : name;
}

/** The common name as RFC 5280 bounds it (1 to 64 characters, no control characters); null when the text is none. */
export function commonName(text: string): string | null {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.length > 0 && text.length <= 64 && !/[\x00-\x1f\x7f]/.test(text) ? text : null;
}
