/**
 * Host names to addresses without libuv's thread pool: four hanging getaddrinfo calls would stop file reads and
 * compression for everyone. Asks the hosts file, then DNS by c-ares, with a deadline.
 */
import { Resolver } from 'node:dns/promises';

export type ResolveHost = (host: string) => Promise<readonly string[]>;

export interface ResolveHostOptions {
  /** The text of the hosts file; read anew for each question, because operators change it. */
  readonly readHosts: () => Promise<string>;
  readonly timeoutMs: number;
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

/**
 * @returns a function that gives every IPv4 and IPv6 address of a name, and rejects when there is none or no server
 * answered in time. An IPv6 failure beside an IPv4 answer is no failure.
 */
export function createResolveHost({ readHosts, timeoutMs }: ResolveHostOptions): ResolveHost {
  return async (host) => {
    const local = addressesInHostsFile(await readHosts().catch(() => ''), host);
    if (local.length > 0) return local;
    const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
    const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const addresses = [
      ...(four.status === 'fulfilled' ? four.value : []),
      ...(six.status === 'fulfilled' ? six.value : []),
    ];
    if (addresses.length === 0) {
      const cause: unknown = four.status === 'rejected' ? four.reason : undefined;
      throw new Error(`cannot resolve ${host}`, { cause });
    }
    return addresses;
  };
}
