/**
 * The path where a gate with `crl: { publish: true }` gives the revocation lists in force, so that other gates can fetch
 * them. A list is public: whoever may speak gets it, without credentials and without a certificate.
 */
import type { ClientTrust, Config } from '../../config/config.ts';
import { CRL_PATH } from '../endpoints.ts';
import type { Passage } from '../passage.ts';
import { ANONYMOUS } from './exempt.ts';

export interface PublishedLists {
  /** @returns whether it has answered. */
  answers(passage: Passage): boolean;
}

export function createPublishedLists(): PublishedLists {
  const texts = new WeakMap<ClientTrust, Buffer>();
  const textOf = (trust: ClientTrust): Buffer => {
    const known = texts.get(trust);
    if (known !== undefined) return known;
    const text = Buffer.from(trust.crls.map(({ pem }) => pem).join(''));
    texts.set(trust, text);
    return text;
  };
  return {
    answers(passage) {
      const { target, config, answer } = passage;
      const { method, path } = target;
      if (path !== CRL_PATH || (method !== 'GET' && method !== 'HEAD') || !publishes(config)) return false;
      const body = textOf(config.tls.trust);
      passage.identity = ANONYMOUS;
      answer.open(200, {
        'content-type': 'application/x-pem-file',
        'content-length': String(body.length),
        'cache-control': 'no-store',
      });
      if (method === 'GET') answer.write(body);
      answer.end();
      return true;
    },
  };
}

function publishes(config: Config): config is Config & { readonly tls: NonNullable<Config['tls']> } {
  return config.crl.publish && config.tls !== null && config.tls.trust.crls.length > 0;
}
