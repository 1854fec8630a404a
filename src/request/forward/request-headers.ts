/**
 * The headers of the request upstream, written from a closed list. Pure. What identifies the client to the upstream
 * (X-Forwarded-*, x-promgate-user) is ours in every spelling; Authorization of a client never passes, its Cookie only where
 * the operator says so.
 */
import type { UpstreamAuthorization } from '../../config/config.ts';
import { headerNameAsRead } from '../../formats/header-name.ts';
import type { EndpointClass, UpstreamKind } from '../endpoints.ts';
import { HOP_BY_HOP, namedByConnection } from '../message.ts';

export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface Origin {
  readonly kind: UpstreamKind;
  readonly endpointClass: EndpointClass | null;
  /** The TCP peer. */
  readonly peer: string;
  /** Whether the peer is a proxy whose word on the client is taken. */
  readonly peerIsTrusted: boolean;
  readonly scheme: 'http' | 'https';
  /** Host or :authority as the client sent it; null when there was none. */
  readonly host: string | null;
  readonly identityName: string;
  readonly authorization: UpstreamAuthorization;
  /** Whether cookies pass; for kind any only. */
  readonly passCookies: boolean;
  /** What the operator sets: lower-case names. The identity's word comes before the upstream's. */
  readonly set: ReadonlyMap<string, string>;
  readonly setForIdentity: ReadonlyMap<string, string> | null;
  /** Names that the operator sets anywhere, as `headerNameAsRead` gives them. */
  readonly neverFromClient: ReadonlySet<string>;
}

const PASSED: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'content-type',
  'range',
  'user-agent',
  'traceparent',
  'tracestate',
]);

/** Never, for no kind. `content-length` is written anew from the body. */
const NEVER: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'via',
  // These would make an upstream see another address, path or method than the one that was judged.
  'x-client-ip',
  'x-real-ip',
  'x-original-host',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
]);
const NEVER_PREFIXES = ['x-promgate-', 'x-forwarded-', 'proxy-'];

function passes(name: string, { kind, endpointClass, passCookies, neverFromClient }: Origin): boolean {
  if (neverFromClient.size > 0 && neverFromClient.has(headerNameAsRead(name))) return false;
  if (kind !== 'any') {
    if (PASSED.has(name) || name.startsWith('if-') || name.startsWith('x-prometheus-')) return true;
    // What the operator has opened by hand takes bodies that are compressed (remote write, OTLP).
    return name === 'content-encoding' && endpointClass === 'also_allow';
  }
  // In this one spelling: the others are not a cookie to a browser.
  if (name === 'cookie') return passCookies;
  const read = headerNameAsRead(name);
  return !(
    name.startsWith(':') ||
    NEVER.has(read) ||
    HOP_BY_HOP.has(read) ||
    NEVER_PREFIXES.some((prefix) => read.startsWith(prefix))
  );
}

/** @param incoming lower-case names, as Node gives them; `:pseudo` headers of h2 are ignored. */
export function upstreamHeaders(incoming: RequestHeaders, origin: Origin): Record<string, string | string[]> {
  const named = namedByConnection(incoming['connection']);
  const out: Record<string, string | string[]> = {};
  // Node's own object of headers: it has none but its own properties.
  for (const name in incoming) {
    const value = incoming[name];
    if (value !== undefined && passes(name, origin) && !named.has(name)) out[name] = value;
  }
  out['x-forwarded-for'] = forwardedFor(incoming, origin);
  out['x-forwarded-proto'] = believed(incoming['x-forwarded-proto'], origin, PROTO) ?? origin.scheme;
  const host = believed(incoming['x-forwarded-host'], origin, HOST) ?? origin.host;
  if (host !== null) out['x-forwarded-host'] = host;
  out['x-promgate-user'] = headerSafe(origin.identityName);
  for (const [name, value] of origin.set) out[name] = value;
  if (origin.setForIdentity !== null) for (const [name, value] of origin.setForIdentity) out[name] = value;
  if (origin.authorization.kind === 'header') out['authorization'] = origin.authorization.value;
  return out;
}

const SAFE = /^[\x20-\x24\x26-\x7e]*$/;
const PROTO = /^https?$/;
const HOST = /^[A-Za-z0-9.\-:[\]_]{1,255}$/;

function forwardedFor(incoming: RequestHeaders, { peer, peerIsTrusted }: Origin): string {
  const before = incoming['x-forwarded-for'];
  return peerIsTrusted && before !== undefined ? `${String(before)}, ${peer}` : peer;
}

function believed(value: string | string[] | undefined, { peerIsTrusted }: Origin, form: RegExp): string | null {
  return peerIsTrusted && typeof value === 'string' && form.test(value) ? value : null;
}

/** Percent-encodes what is not printable ASCII: a user name may be UTF-8, a header value may not. */
function headerSafe(text: string): string {
  return SAFE.test(text) ? text : encodeUnsafe(text);
}

function encodeUnsafe(text: string): string {
  return text.replace(/[^\x20-\x7e]+|%/g, (part) =>
    Array.from(Buffer.from(part, 'utf8'), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
