/** Rules over tls_server_config: versions and cipher suites that fit each other, and what this Node can serve. */
import type { Problem } from '../../lib/problem.ts';
import { FIRST_NODE_WITH_MIXED_KEYS, TLS_VERSIONS } from '../tls-names.ts';
import type { TlsVersion } from '../tls-names.ts';
import { error, warning } from './rule.ts';
import type { Rule, RuleInput } from './rule.ts';

const TLS = 'tls_server_config';

/** From old to new. */
function rank(version: TlsVersion): number {
  return TLS_VERSIONS.length - TLS_VERSIONS.indexOf(version);
}

export const tlsRule: Rule = (input) => {
  if (input.raw.tls_server_config === undefined || !input.authentication.hasTls) return [];
  return [...versionProblems(input), ...cipherProblems(input), ...keyTypeRule(input)];
};

function versionProblems({ raw }: RuleInput): Problem[] {
  const tls = raw.tls_server_config;
  if (tls === undefined) return [];
  const found: Problem[] = [];
  const { min_version: min, max_version: max } = tls;
  const lacking = 'the OpenSSL of this Node does not speak TLS 1.0 and 1.1';
  if (rank(max) < rank('TLS12')) {
    found.push(error(`max_version is ${max}: ${lacking}`, [TLS, 'max_version']));
  } else if (rank(min) > rank(max)) {
    found.push(error(`min_version ${min} is above max_version ${max}`, [TLS, 'min_version'], { at: 'value' }));
  } else if (rank(min) < rank('TLS12')) {
    found.push(warning(`min_version is ${min}, TLS12 is used: ${lacking}`, [TLS, 'min_version']));
  }
  return found;
}

/** RFC 9113 §9.2.2; Go refuses to serve HTTP/2 without one of them, so no web.yml works otherwise. */
const HTTP2_SUITES = ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'];

function cipherProblems({ raw }: RuleInput): Problem[] {
  const tls = raw.tls_server_config;
  if (tls === undefined || tls.cipher_suites.length === 0) return [];
  const path = [TLS, 'cipher_suites'];
  const { cipher_suites: suites, min_version: min, max_version: max } = tls;
  if (max !== 'TLS13' && suites.every(({ openssl }) => openssl === null)) {
    return [error(`cipher_suites has none for TLS 1.2, and max_version is ${max}`, path, { at: 'key' })];
  }
  const fitsHttp2 = min === 'TLS13' || suites.some(({ name }) => HTTP2_SUITES.includes(name));
  if (raw.http_server_config.http2 && !fitsHttp2) {
    const hint = `add ${HTTP2_SUITES.join(' or ')}, or set http2: false in http_server_config`;
    return [error('cipher_suites has none of those that HTTP/2 requires', path, { at: 'key', hint })];
  }
  return [];
}

export const keyTypeRule: Rule = ({ raw, pairs, nodeMajor }) => {
  const [first, ...others] = pairs ?? [];
  // Beside acme they are served only while there is nothing else, and chosen to fit each other.
  if (first === undefined || raw.acme !== undefined || nodeMajor >= FIRST_NODE_WITH_MIXED_KEYS) return [];
  return others.flatMap(({ keyType }, index) => {
    if (keyType === first.keyType) return [];
    const message = `a key of type ${keyType} beside a default one of type ${first.keyType}: this Node would serve the wrong certificate`;
    const hint = 'use keys of one type, or Node 24 or later';
    return [error(message, [TLS, 'additional_certificates', index, 'key_file'], { hint })];
  });
};
