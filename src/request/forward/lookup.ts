/**
 * Names of upstreams to addresses, in the shape that net.connect asks for. At most one getaddrinfo of ours is ever in
 * libuv's thread pool: four hanging ones would stop file reads and compression for everyone.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import type { ResolveHost } from '../../lib/resolve-host.ts';

/** getaddrinfo(3): knows the search domains and the name services that plain DNS questions do not. */
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

  return (host, options, callback) => {
    resolveHost(host)
      .then((addresses) => addresses.map((address) => ({ address, family: isIP(address) })))
      .catch(() => askSystemOnce(host))
      .then(
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

function notFound(host: string, why: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`cannot resolve ${host}: ${why}`), { code: 'ENOTFOUND' });
}
