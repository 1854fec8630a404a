/**
 * The one function that makes every secure context (default, SNI, later self-signed and challenge ones) from the same
 * trust settings. A context that is made anywhere else would verify clients against the system's roots.
 */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { ClientTrust, KeyPair, Tls } from '../config/config.ts';

/** `cipher_suites` of web.yml is about TLS ≤ 1.2; a list without these would silently cap the version at 1.2. */
const TLS13_SUITES = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'];

/** Options for `tls.createSecureContext`, `tls.createServer` and `setSecureContext`. */
export function secureContextOptions(
  pair: Pick<KeyPair, 'cert' | 'key'>,
  { settings, trust }: Tls,
): SecureContextOptions {
  const { minVersion, maxVersion, ciphers, curves, preferServerCiphers } = settings;
  return {
    cert: pair.cert,
    key: pair.key,
    // Always, even when empty: without `ca` Node trusts the system's roots, and any public certificate is authorized.
    ca: [...trust.ca],
    ...(givesCrls(trust) ? { crl: trust.crls.map(({ pem }) => pem) } : {}),
    minVersion,
    maxVersion,
    ...(ciphers === null || ciphers.length === 0 ? {} : { ciphers: [...TLS13_SUITES, ...ciphers].join(':') }),
    ecdhCurve: curves === null || curves.length === 0 ? 'auto' : curves.join(':'),
    honorCipherOrder: preferServerCiphers,
    secureOptions: secureOptions(trust.type !== 'NoClientCert'),
  };
}

/**
 * With an expired list OpenSSL refuses everybody, and the one error that it names can hide another one. Under
 * `crl_on_expiry: warn` it gets none: loading has verified their signatures, and certificate-trust.ts looks up the serials.
 */
function givesCrls({ crls, crlOnExpiry }: ClientTrust): boolean {
  return crls.length > 0 && crlOnExpiry === 'deny';
}

/**
 * A resumed session is authorized by the certificates of another day, so there is none where clients show certificates:
 * without tickets (and without a session store, which Node never has by itself) neither TLS 1.2 nor 1.3 resumes.
 * Renegotiation is work that a stranger may ask for without end.
 */
function secureOptions(clientsShowCertificates: boolean): number {
  return constants.SSL_OP_NO_RENEGOTIATION | (clientsShowCertificates ? constants.SSL_OP_NO_TICKET : 0);
}
