/**
 * The names of Go's crypto/tls, as web.yml writes them, and OpenSSL's names for the same. What this OpenSSL lacks is a
 * problem, never left out in silence.
 */
import { createSecureContext, getCiphers } from 'node:tls';
import { didYouMean } from '../formats/suggest.ts';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';

export const TLS_VERSIONS = ['TLS13', 'TLS12', 'TLS11', 'TLS10'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

export interface Cipher {
  readonly name: string;
  /** null: a suite of TLS 1.3, which is always on (Go accepts the name and does the same). */
  readonly openssl: string | null;
}

/** Go's tls.CipherSuites(); the TLS_RSA ones left it in Go 1.22, older web.yml have them. */
const CIPHERS: Readonly<Record<string, string | null>> = {
  TLS_AES_128_GCM_SHA256: null,
  TLS_AES_256_GCM_SHA384: null,
  TLS_CHACHA20_POLY1305_SHA256: null,
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
};

const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'prime256v1',
  CurveP384: 'secp384r1',
  CurveP521: 'secp521r1',
  X25519: 'X25519',
  X25519MLKEM768: 'X25519MLKEM768',
};

function unknown(what: string, name: string, known: readonly string[], example: string): Parsed<never> {
  const near = didYouMean(name, known);
  const hint =
    near === null ? `the names are those of Go, such as ${example}` : `did you mean ${JSON.stringify(near)}?`;
  return unparsed(`unknown ${what} ${JSON.stringify(name)}`, hint);
}

/** Reads Go's name of a cipher suite. */
export function parseCipher(name: string): Parsed<Cipher> {
  const openssl = Object.hasOwn(CIPHERS, name) ? CIPHERS[name] : undefined;
  if (openssl === undefined)
    return unknown('cipher suite', name, Object.keys(CIPHERS), 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256');
  if (openssl !== null && !getCiphers().includes(openssl.toLowerCase())) {
    return unparsed(`the OpenSSL of this Node has no cipher suite ${JSON.stringify(name)}`);
  }
  return parsed({ name, openssl });
}

/** Reads Go's name of a curve; the value is OpenSSL's name of the group. */
export function parseCurve(name: string): Parsed<string> {
  const openssl = Object.hasOwn(CURVES, name) ? CURVES[name] : undefined;
  if (openssl === undefined) return unknown('curve', name, Object.keys(CURVES), 'CurveP256 or X25519');
  try {
    createSecureContext({ ecdhCurve: openssl });
  } catch {
    return unparsed(`the OpenSSL of this Node has no curve ${JSON.stringify(name)}`);
  }
  return parsed(openssl);
}

/** The first Node that picks the certificate of the SNI name, not the default one, when their key types differ. */
export const FIRST_NODE_WITH_MIXED_KEYS = 24;
