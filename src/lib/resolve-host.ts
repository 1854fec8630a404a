/**
 * Host names to addresses without libuv's thread pool: four hanging getaddrinfo calls would stop file reads and
 * compression for everyone. Asks the hosts file, then DNS by c-ares with the search list of resolv.conf, with one deadline.
 */
import { Resolver } from 'node:dns/promises';
import { hostname } from 'node:os';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';

/**
 * Every IPv4 and IPv6 address of a name; rejects when there is none or no server answered in time. An IPv6 failure beside
 * an IPv4 answer is no failure, nor the other way round.
 * @param patience `in a hurry`: what one family has is enough when the other lets wait (RFC 8305 §3).
 */
export type ResolveHost = (host: string, patience?: 'in a hurry') => Promise<readonly string[]>;

export interface ResolveHostOptions {
  /** The text of the hosts file; read anew for each question, because operators change it. */
  readonly readHosts: () => Promise<string>;
  /** The text of resolv.conf(5), likewise; its servers are read by c-ares. Absent: no search list. */
  readonly readResolvConf?: () => Promise<string>;
  /** For all questions about one name together. */
  readonly timeoutMs: number;
  /** `ADDRESS:PORT`; default: those of the system. */
  readonly servers?: readonly string[];
  readonly clock?: Clock;
}

/** Addresses that a hosts file (hosts(5)) gives for a name, in order of appearance. */
export function addressesInHostsFile(text: string, host: string): string[] {
  const wanted = host.toLowerCase();
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const [address, ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (address !== undefined && names.some((name) => name.toLowerCase() === wanted)) found.push(address);
  }
  return found;
}

/** glibc and musl bound ndots alike. */
const MOST_DOTS = 15;
/** Each is a question to every server; Kubernetes has three to six. */
const MOST_DOMAINS = 16;

/**
 * The names that a resolver asks for in turn (resolv.conf(5): `search`, `domain`, `ndots`).
 * @param host with a dot at its end: it alone.
 * @param ownName of this host: its domain is the search list where resolv.conf has none.
 */
export function searchedNames(resolvConf: string, host: string, ownName: string): string[] {
  if (host.endsWith('.')) return [host.slice(0, -1)];
  const [, ...ownDomain] = ownName.split('.');
  let domains = ownDomain.length === 0 ? [] : [ownDomain.join('.')];
  let leastDots = 1;
  for (const line of resolvConf.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    // The last of the two wins.
    if (keyword === 'search') domains = words;
    else if (keyword === 'domain') domains = words.slice(0, 1);
    else if (keyword === 'options') {
      for (const word of words) {
        const dots = /^ndots:(\d+)$/.exec(word)?.[1];
        if (dots !== undefined) leastDots = Math.min(Number(dots), MOST_DOTS);
      }
    }
  }
  const searched = domains
    .slice(0, MOST_DOMAINS)
    .map((domain) => domain.replace(/^\.+|\.+$/g, ''))
    .map((domain) => (domain === '' ? host : `${host}.${domain}`));
  const dots = host.split('.').length - 1;
  return [...new Set(dots >= leastDots ? [host, ...searched] : [...searched, host])];
}

/** RFC 6761 §6.3; the hosts file of a container need not have it. */
const LOCALHOST = ['127.0.0.1', '::1'];
/** What the second family gets when the first has answered: more than RFC 8305 §3 says, for servers that ask others. */
const GRACE_MS = 250;

export function createResolveHost(options: ResolveHostOptions): ResolveHost {
  const { readHosts, readResolvConf, timeoutMs, servers, clock = systemClock } = options;
  return async (host, patience) => {
    const plain = host.replace(/\.$/, '');
    const local = addressesInHostsFile(await readHosts().catch(() => ''), plain);
    if (local.length > 0) return local;
    if (/^(?:.*\.)?localhost$/i.test(plain)) return LOCALHOST;
    const resolvConf = (await readResolvConf?.().catch(() => '')) ?? '';
    const names = readResolvConf === undefined ? [plain] : searchedNames(resolvConf, host, hostname());
    // A lost datagram is asked for once more.
    const resolver = new Resolver({ timeout: Math.ceil(timeoutMs * 0.4), tries: 2 });
    if (servers !== undefined) resolver.setServers(servers);
    const waiting = { isOver: false };
    const deadline = clock.after(timeoutMs, () => {
      waiting.isOver = true;
      resolver.cancel();
    });
    let cause: unknown;
    try {
      for (const name of names) {
        const answer = await askBoth(resolver, name, patience === undefined ? null : GRACE_MS, clock);
        if (answer.addresses.length > 0) return answer.addresses;
        cause ??= answer.error;
        if (waiting.isOver) break;
      }
    } finally {
      deadline.cancel();
      resolver.cancel();
    }
    throw new Error(`cannot resolve ${host}`, { cause });
  };
}

interface Answer {
  readonly addresses: readonly string[];
  readonly error?: unknown;
}

/** @param graceMs how long one family waits for the other; null: for its end. */
function askBoth(resolver: Resolver, name: string, graceMs: number | null, clock: Clock): Promise<Answer> {
  return new Promise((resolve) => {
    const found: { four: readonly string[] | null; six: readonly string[] | null } = { four: null, six: null };
    let error: unknown;
    const finish = (): void => {
      resolve({ addresses: [...(found.four ?? []), ...(found.six ?? [])], error });
    };
    const settle = (family: 'four' | 'six', addresses: readonly string[]): void => {
      found[family] = addresses;
      if (found.four !== null && found.six !== null) finish();
      else if (graceMs !== null && addresses.length > 0) clock.after(graceMs, finish);
    };
    const ask = (family: 'four' | 'six', question: Promise<string[]>): void => {
      question.then(
        (addresses) => {
          settle(family, addresses);
        },
        (reason: unknown) => {
          if (family === 'four' || error === undefined) error = reason;
          settle(family, []);
        },
      );
    };
    ask('four', resolver.resolve4(name));
    ask('six', resolver.resolve6(name));
  });
}
