/** Listen addresses against each other and against the upstreams: two on one port, or a gate that asks itself. */
import { formatCidr, normalizeAddress } from '../../formats/address-set.ts';
import type { Cidr } from '../../formats/address-set.ts';
import type { Problem } from '../../lib/problem.ts';
import type { ListenAddress, UpstreamAddress } from '../config.ts';
import { isLocal } from './exposure.ts';
import { error, LISTEN_FLAG, warning } from './rule.ts';
import type { Rule, RuleInput } from './rule.ts';

export const addressRule: Rule = (input) => [
  ...clashes(input),
  ...adminProblems(input),
  ...accessProblems(input),
  ...loops(input),
];

function overlap(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === 'unix' || b.kind === 'unix') return a.kind === 'unix' && b.kind === 'unix' && a.path === b.path;
  // Port 0 is any free one.
  if (a.port !== b.port || a.port === 0) return false;
  return isEvery(a.host) || isEvery(b.host) || sameHost(a.host ?? '', b.host ?? '');
}

function isEvery(host: string | null): boolean {
  return host === null || host === '0.0.0.0' || host === '::';
}

function sameHost(a: string, b: string): boolean {
  return (normalizeAddress(a) ?? a.toLowerCase()) === (normalizeAddress(b) ?? b.toLowerCase());
}

function clashes({ raw, listen, listenFromFile }: RuleInput): Problem[] {
  const found: Problem[] = [];
  if (listen.length === 0) {
    const hint = 'remove the key for the default, :9095';
    found.push(error('listen_addresses is empty', ['listen_addresses'], { at: 'key', hint }));
  }
  for (const [index, address] of listen.entries()) {
    const twin = listen.slice(0, index).find((other) => overlap(other, address));
    if (twin === undefined) continue;
    const message = `${JSON.stringify(address.text)} overlaps with ${JSON.stringify(twin.text)}`;
    found.push(listenFromFile ? error(message, ['listen_addresses', index]) : error(`${LISTEN_FLAG}: ${message}`));
  }
  const admin = raw.admin_address;
  const twin = admin.kind === 'off' ? undefined : listen.find((address) => overlap(address, admin));
  if (twin !== undefined) {
    const hint = 'the admin address must not be public: give it a port of its own, such as 127.0.0.1:9096';
    found.push(
      error(`admin_address is the same as the listen address ${JSON.stringify(twin.text)}`, ['admin_address'], {
        hint,
      }),
    );
  }
  return found;
}

/** What a request from beyond this host gets there is decided in observe/admin-guard.ts. */
function adminProblems({ raw: { admin_address: admin } }: RuleInput): Problem[] {
  if (admin.kind === 'off' || isLocal(admin)) return [];
  const message = `admin_address ${JSON.stringify(admin.text)} is open to the network: GET /metrics, /-/healthy and /-/ready answer there without credentials and without TLS`;
  const hint = 'everything else answers on this host only; to keep these here too write 127.0.0.1 for the host';
  return [warning(message, ['admin_address'], { hint })];
}

function accessProblems({ raw }: RuleInput): Problem[] {
  const found: Problem[] = [];
  if (raw.allow?.length === 0) {
    const hint = 'remove the key to admit every address';
    found.push(error('allow is empty: nobody could connect', ['allow'], { at: 'key', hint }));
  }
  return [...found, ...shutOutProxies(raw)];
}

/**
 * `allow` and `deny` are asked of the peer before TLS, and of the client that a proxy names: a proxy that may not connect
 * shuts out everyone behind it. Not so in nginx, whose realip module puts the client's address in the peer's place.
 */
function shutOutProxies({ allow, deny, trusted_proxies: proxies }: RuleInput['raw']): Problem[] {
  // What a host name resolves to is known at run time.
  const isOpen = allow === undefined || allow.some((entry) => 'host' in entry);
  const admitted = allow?.flatMap((entry) => ('cidr' in entry ? [entry.cidr] : [])) ?? [];
  return proxies.flatMap((proxy, index) => {
    const denied = deny.some((network) => holds(network, proxy));
    const missing = !isOpen && !admitted.some((network) => holds(network, proxy) || holds(proxy, network));
    if (!denied && !missing) return [];
    const text = formatCidr(proxy).replace(proxy.version === 4 ? /\/32$/ : /\/128$/, '');
    const message = `${text} is ${denied ? 'in deny' : 'not in allow'}: the proxy cannot connect, and nor can any client behind it`;
    const hint = denied ? 'deny holds for proxies too: take it out there' : `add ${text} to allow, beside the clients`;
    return [warning(message, ['trusted_proxies', index], { hint })];
  });
}

/** Whether all of `inner` is in `outer`. */
function holds(outer: Cidr, inner: Cidr): boolean {
  if (outer.version !== inner.version || outer.prefix > inner.prefix) return false;
  const hostBits = BigInt((outer.version === 4 ? 32 : 128) - outer.prefix);
  return outer.bits >> hostBits === inner.bits >> hostBits;
}

function loops({ raw, listen, ownAddresses }: RuleInput): Problem[] {
  const admin = raw.admin_address;
  const own = admin.kind === 'off' ? listen : [...listen, admin];
  return raw.upstreams.flatMap(({ url }, index) => {
    const target = own.find((address) => reaches(url.address, address, ownAddresses));
    if (target === undefined) return [];
    const hint = 'url: self serves the metrics of the gate';
    const message = `this upstream is the gate itself: it listens on ${JSON.stringify(target.text)}`;
    return [error(message, ['upstreams', index, 'url'], { hint })];
  });
}

function reaches(upstream: UpstreamAddress, own: ListenAddress, ownAddresses: ReadonlySet<string>): boolean {
  if (upstream.kind === 'self') return false;
  if (upstream.kind === 'unix' || own.kind === 'unix') {
    return upstream.kind === 'unix' && own.kind === 'unix' && upstream.socketPath === own.path;
  }
  if (upstream.port !== own.port) return false;
  const name = upstream.host.replace(/\.$/, '').toLowerCase();
  const host = normalizeAddress(name) ?? name;
  // Connecting to the unspecified address reaches this machine.
  const isHere =
    host === 'localhost' || host.startsWith('127.') || host === '::1' || isEvery(host) || ownAddresses.has(host);
  if (isEvery(own.host)) return isHere;
  if (sameHost(own.host ?? '', host)) return true;
  const isLoopback = (text: string) => text === 'localhost' || text.startsWith('127.') || text === '::1';
  return (host === 'localhost' || isEvery(host)) && isLoopback(own.host ?? '');
}
