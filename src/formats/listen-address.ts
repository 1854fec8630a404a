/** Addresses to listen on, as Go programs write them: `:9095`, `host:port`, `[::1]:9095`, and `unix:/path`. */
import { isIPv4, isIPv6 } from 'node:net';
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

export type ListenAddress =
  /** `host` null: every address, IPv6 and IPv4 (IPv4 alone where IPv6 is off). */
  | { readonly kind: 'tcp'; readonly host: string | null; readonly port: number; readonly text: string }
  | { readonly kind: 'unix'; readonly path: string; readonly text: string };

/** sun_path of Linux has 108 bytes with its NUL. */
const LONGEST_SOCKET_PATH = 107;
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Reads one address. Port 0 is any free one. */
export function parseListenAddress(text: string): Parsed<ListenAddress> {
  if (text.startsWith('unix:')) return parseUnix(text);
  if (text.includes('://')) return unparsed('an address, not a URL, is expected', 'write host:port, such as :9095');
  const colon = text.lastIndexOf(':');
  if (colon === -1) {
    const hint = /^\d{1,5}$/.test(text) ? `did you mean ":${text}"?` : `did you mean "${shown(text)}:9095"?`;
    return unparsed('no port; expected host:port, such as :9095', text === '' ? undefined : hint);
  }
  const portText = text.slice(colon + 1);
  // Also `::1:9095`, which is an IPv6 address itself, and meant as one with a port.
  if (isIPv6(text)) {
    const host = text.slice(0, colon);
    const meant = isIPv6(host) && /^\d{2,5}$/.test(portText) ? `[${host}]:${portText}` : `[${text}]:9095`;
    return unparsed('an IPv6 address without brackets', `write "${meant}"`);
  }
  if (!/^\d{1,5}$/.test(portText) || Number(portText) > 65535) {
    return unparsed('the port is not a number from 0 to 65535');
  }
  const host = parseHost(text.slice(0, colon), portText);
  return host.ok ? parsed({ kind: 'tcp', host: host.value, port: Number(portText), text }) : host;
}

function parseHost(text: string, port: string): Parsed<string | null> {
  if (text === '' || text === '*') return parsed(null);
  if (text.startsWith('[') && text.endsWith(']')) {
    const address = text.slice(1, -1);
    return isIPv6(address) ? parsed(address) : unparsed('what stands in brackets is not an IPv6 address');
  }
  if (isIPv6(text)) return unparsed('an IPv6 address without brackets', `write "[${text}]:${port}"`);
  if (isIPv4(text)) return parsed(text);
  // `10.1` and `010.1.2.3` look like addresses, and resolvers read them as some.
  if (/^[\d.]+$/.test(text)) return unparsed('the host is not a whole IP address');
  const labels = text.endsWith('.') ? text.slice(0, -1).split('.') : text.split('.');
  if (text.length > 253 || !labels.every((label) => LABEL.test(label))) return unparsed('the host is not a host name');
  return parsed(text);
}

function parseUnix(text: string): Parsed<ListenAddress> {
  const path = text.slice('unix:'.length);
  if (!path.startsWith('/'))
    return unparsed('the path of a unix socket must be absolute', 'write unix:/run/promgate.sock');
  if (path.includes('\0')) return unparsed('a NUL in the path of a unix socket');
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
    return unparsed(`the path of a unix socket is longer than ${String(LONGEST_SOCKET_PATH)} bytes`);
  }
  return parsed({ kind: 'unix', path, text });
}

function shown(text: string): string {
  return text.length > 40 ? 'HOST' : text.replace(/[^\x20-\x7e]/g, '?');
}
