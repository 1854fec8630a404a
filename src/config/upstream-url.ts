/** Reads `upstreams[].url`. Credentials in it are refused and never repeated in a message. */
import { isIPv6 } from 'node:net';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import type { UpstreamAddress } from './config.ts';

export interface UpstreamUrl {
  readonly address: UpstreamAddress;
  /** Empty or `/a/b`. */
  readonly basePath: string;
  /** The label in metrics and logs. */
  readonly name: string;
}

const EXPECTED = 'expected http://HOST:PORT, https://HOST:PORT, unix:/PATH or self';
const BASE_PATH = /^(?:\/[A-Za-z0-9\-._~!$&'()*+,=:@]+)*\/?$/;

/** @returns address, base path and label, or what is wrong with the URL. */
export function parseUpstreamUrl(written: string): Parsed<UpstreamUrl> {
  if (written === 'self') return parsed({ address: { kind: 'self' }, basePath: '', name: 'self' });
  if (written.startsWith('unix:')) return parseUnix(written);
  if (!/^https?:\/\//i.test(written) || !URL.canParse(written)) {
    const isBare =
      /^[A-Za-z0-9.-]{1,200}(?::\d{1,5})?(?:\/[\w./-]*)?$/.test(written) && URL.canParse(`http://${written}`);
    return unparsed(`not the URL of an upstream, ${EXPECTED}`, isBare ? `write http://${written}` : undefined);
  }
  const url = new URL(written);
  if (url.username !== '' || url.password !== '') {
    return unparsed('a URL with credentials in it', 'use basic_auth with a password_file, or authorization');
  }
  if (url.search !== '' || url.hash !== '') return unparsed('a URL with a query or a fragment');
  if (!BASE_PATH.test(url.pathname) || /\/\.{1,2}(?:\/|$)/.test(written)) {
    return unparsed('the path of the URL is not in normal form');
  }
  const kind = url.protocol === 'https:' ? 'https' : 'http';
  const bare = url.hostname.replace(/^\[|\]$/g, '');
  const host = isIPv6(bare) ? bare : url.hostname;
  const port = url.port === '' ? (kind === 'https' ? 443 : 80) : Number(url.port);
  if (port === 0) return unparsed('port 0 is not a port of an upstream');
  const basePath = url.pathname.replace(/\/$/, '');
  return parsed({ address: { kind, origin: url.origin, host, port }, basePath, name: url.origin + basePath });
}

function parseUnix(written: string): Parsed<UpstreamUrl> {
  const socketPath = written.slice('unix:'.length).replace(/^\/{3}/, '/');
  // 107 is what fits into sun_path on Linux with its NUL.
  if (!/^\/[\x21-\x7e]+$/.test(socketPath) || socketPath.length > 107) {
    return unparsed('not the path of a unix socket, expected unix:/PATH of at most 107 characters');
  }
  return parsed({ address: { kind: 'unix', socketPath }, basePath: '', name: `unix:${socketPath}` });
}
