/**
 * Names of upstreams to addresses, for requests, probes and the bypass watch alike, in the shape that net.connect asks for.
 * At most one getaddrinfo of ours is ever in libuv's thread pool: four hanging ones would stop file reads and compression
 * for everyone.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import type { ResolveHost } from './resolve-host.ts';

/** getaddrinfo(3): knows the name services (mDNS, LDAP) that hosts file and DNS do not. */
export type SystemLookup = (host: string, callback: (error: Error | null, addresses: LookupAddress[]) => void) => void;

export interface LookupOptions {
  /** Hosts file and DNS with a deadline; asked first. */
  readonly resolveHost: ResolveHost;
  readonly system?: SystemLookup;
}

const askSystem: SystemLookup = (host, callback) => {
  systemLookup(host, { all: true, order: 'verbatim' }, callback);
};

/** Makes the `lookup` of net.connect. A second name that needs getaddrinfo while the first hangs fails at once. */
export function createLookup({ resolveHost, system = askSystem }: LookupOptions): LookupFunction {
  /** One question about a name at a time, for all who want to know. */
  const resolving = new Map<string, Promise<LookupAddress[]>>();
  let asking: { readonly host: string; readonly answer: Promise<LookupAddress[]> } | null = null;

  const askSystemOnce = (host: string): Promise<LookupAddress[]> => {
    if (asking !== null) {
      return asking.host === host ? asking.answer : Promise.reject(notFound(host, 'the system resolver is busy'));
    }
    const answer = new Promise<LookupAddress[]>((resolve, reject) => {
      system(host, (error, addresses) => {
        asking = null;
        if (error === null) resolve(addresses);
        else reject(notFound(host, error.message));
      });
    });
    asking = { host, answer };
    return answer;
  };

  const resolve = (host: string): Promise<LookupAddress[]> => {
    const known = resolving.get(host);
    if (known !== undefined) return known;
    const answer = resolveHost(host, 'in a hurry')
      .then((addresses) => addresses.map((address) => ({ address, family: isIP(address) })))
      .catch(() => askSystemOnce(host))
      .finally(() => resolving.delete(host));
    resolving.set(host, answer);
    return answer;
  };

  return (host, options, callback) => {
    resolve(host).then(
      (found) => {
        const [first] = found;
        if (first === undefined) callback(notFound(host, 'no address'), '', 0);
        else if (options.all === true) callback(null, found);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => {
        callback(error as NodeJS.ErrnoException, '', 0);
      },
    );
  };
}

/** Every address of a name, or of an address itself. @throws what the lookup says */
export function addressesOf(lookup: LookupFunction, host: string): Promise<LookupAddress[]> {
  const family = isIP(host);
  if (family !== 0) return Promise.resolve([{ address: host, family }]);
  return new Promise((resolve, reject) => {
    lookup(host, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses as LookupAddress[]);
      else reject(error);
    });
  });
}

/** How long one of several addresses is tried before the next (RFC 8305 §5 says 250 ms; networks of ours are slower). */
const ATTEMPT_MS = 1000;

/**
 * Options of net.connect that make it try each address of a name.
 * @param withinMs for all of them together.
 */
export function tryEachAddress(withinMs: number): { autoSelectFamily: true; autoSelectFamilyAttemptTimeout: number } {
  const attemptMs = Math.max(10, Math.min(ATTEMPT_MS, Math.floor(withinMs / 4)));
  return { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: attemptMs };
}

function notFound(host: string, why: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`cannot resolve ${host}: ${why}`), { code: 'ENOTFOUND' });
}
