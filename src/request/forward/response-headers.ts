/**
 * The headers of the answer to the client, from those of the upstream. Pure. Hop-by-hop headers stay behind; a Location
 * that names the upstream becomes one that names us, as a path: right behind whatever stands in front of us.
 */
import type { Upstream } from '../../config/config.ts';
import type { AnswerHeaders } from '../answer.ts';
import { HOP_BY_HOP, namedByConnection } from '../message.ts';

type Incoming = Readonly<Record<string, string | string[] | undefined>>;
type Mapping = Pick<Upstream, 'address' | 'basePath' | 'pathPrefix' | 'stripPrefix'>;
type Passing = Mapping & Pick<Upstream, 'passCookies'>;

/** Would send the client past the gate, to a port of the upstream. */
const DROPPED: ReadonlySet<string> = new Set(['alt-svc']);
const REWRITTEN = ['location', 'content-location'];

export function clientHeaders(incoming: Incoming, upstream: Passing): AnswerHeaders {
  const named = namedByConnection(incoming['connection']);
  const out: AnswerHeaders = {};
  for (const name in incoming) {
    const value = incoming[name];
    if (value === undefined || HOP_BY_HOP.has(name) || DROPPED.has(name) || named.has(name)) continue;
    if (name === 'set-cookie' && !upstream.passCookies) continue;
    out[name] = value;
  }
  for (const name of REWRITTEN) {
    const value = out[name];
    if (typeof value === 'string') out[name] = publicLocation(value, upstream);
  }
  return out;
}

/**
 * @param location as the upstream sent it (RFC 9110 §10.2.2: absolute, or a relative reference).
 * @returns a path on the gate for what lies on the upstream; anything else as it is. An upstream that knows its public path
 * (`--web.external-url` beside `--web.route-prefix=/`) writes it by itself, and it is not put before that again.
 */
export function publicLocation(location: string, upstream: Mapping): string {
  const asked = pathOnUpstream(location, upstream);
  if (asked === null) return location;
  const { basePath, pathPrefix, stripPrefix } = upstream;
  const isBelow = isAtOrBelow(asked, basePath);
  const below = isBelow ? asked.slice(basePath.length) : asked;
  const rooted = below.startsWith('/') ? below : `/${below}`;
  const isPublic = basePath === '' && isAtOrBelow(asked, pathPrefix);
  const path = isBelow && stripPrefix && pathPrefix !== '/' && !isPublic ? pathPrefix + rooted : rooted;
  // `//evil.example/` would be another host to a browser.
  return path.replace(/^\/[/\\]+/, '/');
}

/** @param path with its query and fragment. */
function isAtOrBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && /^(?:$|[/?#])/.test(path.slice(prefix.length));
}

/** The path, query and fragment when the reference leads to the upstream and is not relative to the request's path. */
function pathOnUpstream(location: string, { address }: Mapping): string | null {
  if (location.startsWith('/') && !location.startsWith('//') && !location.startsWith('/\\')) return location;
  if (address.kind === 'self') return null;
  const origin = address.kind === 'unix' ? 'http://localhost' : address.origin;
  let url: URL;
  try {
    // The base makes `//host/path` absolute; a relative reference is told apart by its look, before.
    if (!/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(location)) return null;
    url = new URL(location, origin);
  } catch {
    return null;
  }
  return url.host === new URL(origin).host && /^https?:$/.test(url.protocol)
    ? url.pathname + url.search + url.hash
    : null;
}
