/**
 * Small web.yml files: what the exporter-toolkit's loader lets pass and what it does not. `same`: promgate decides as it does.
 * What promgate refuses and the toolkit takes (`stricter`) is listed in docs/configuration.md; what it takes beyond the
 * toolkit (`wider`) harms no web.yml.
 */
const HASH = '$2y$05$4VeFDzXIoPHKnKTU3O3GH.N.vZu06CVqczYZ8WvfzrddFU6tGqjR.';

const alice = (hash: string) => `basic_auth_users: {alice: ${hash}}\n`;
const user = (name: string) => `basic_auth_users: {${name}: ${HASH}}\n`;
const http2 = (value: string) => `http_server_config: {http2: ${value}}\n`;
const header = (line: string) => `http_server_config:\n  headers:\n    ${line}\n`;
const tls = (line: string) => `tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  ${line}\n`;

export const SAME: readonly string[] = [
  // Documents
  ...['', '   \n\n', '# nothing\n', '---\n', 'null\n', '~\n', '{}\n', '[]\n', 'text\n', '5\n', "''\n"],
  ...[`---\n${http2('true')}...\n`, `${http2('true')}---\n`, `%YAML 1.1\n---\n${http2('true')}`],
  ...[`\ufeff${http2('true')}`, http2('true').replace(/\n/g, '\r\n'), 'http_server_config:\t{http2: true}\n'],
  ...['{"http_server_config":{"http2":true}}\n', 'http_server_config: {http2: true,}\n'],
  ...['? http_server_config\n: {http2: true}\n', 'http_server_config: !!map {http2: true}\n', http2('!!bool true')],
  ...['foo: 1\n', 'foo:\n', 'tls_server_config: {foo: 1}\n', user('alice').replace('basic', 'Basic')],
  ...[`${http2('true')}${http2('true')}`, 'http_server_config: {http2: true, http2: true}\n'],
  ...['http_server_config:\n', 'tls_server_config:\n', 'tls_server_config: {}\n', 'tls_server_config: []\n'],
  // Hashes
  ...[alice(HASH), `basic_auth_users:\n  alice: |\n    ${HASH}\n`, `basic_auth_users:\n  alice: >-\n    ${HASH}\n`],
  ...[alice(`'${HASH}  '`), alice(`"${HASH}\\n"`), alice(`!!str ${HASH}`), `x: &h ${HASH}\n`],
  ...['$2a', '$2b'].map((version) => alice(HASH.replace('$2y', version))),
  ...['03', '04', '12', '17', '18', '31', '32'].map((cost) => alice(HASH.replace('$05', `$${cost}`))),
  ...["''", '', '~', '5', 'secret', HASH.slice(0, -2)].map(alice),
  // Users
  ...['12', '012', 'true', 'yes', '1.50', '2020-01-01', 'müller', "'a b'"].map(user),
  ...[`basic_auth_users:\n  alice: ${HASH}\n  'alice': ${HASH}\n`, 'basic_auth_users:\n', 'basic_auth_users: {}\n'],
  ...['basic_auth_users: []\n', 'basic_auth_users: alice\n'],
  ...[`basic_auth_users:\n  <<: {alice: ${HASH}}\n  bob: ${HASH}\n`, 'basic_auth_users:\n  <<: x\n'],
  ...[`basic_auth_users:\n  <<: [{alice: ${HASH}}, {bob: ${HASH}}]\n`, `basic_auth_users: {a: &h ${HASH}, b: *h}\n`],
  // Booleans
  ...['yes', 'Yes', 'YES', 'y', 'Y', 'on', 'On', 'ON', 'no', 'n', 'N', 'off', 'OFF', 'true', 'True', 'TRUE'].map(http2),
  ...['false', 'FALSE', '1', '0', '~', 'null', '', '""', 't', '2.0'].map(http2),
  // TLS
  ...['min_version: TLS12', 'min_version: tls12', 'min_version: TLS14', 'min_version: ""', 'max_version: ~'].map(tls),
  ...['NoClientCert', 'noclientcert', '', '""', 'RequireClientCert', 'RequestClientCert', 'RequireAnyClientCert'].map(
    (type) => tls(`client_auth_type: ${type}`),
  ),
  ...['[]', '', 'TLS_AES_128_GCM_SHA256', '[TLS_RSA_WITH_RC4_128_SHA]', '[tls_aes_128_gcm_sha256]', '{}'].map(
    (suites) => tls(`cipher_suites: ${suites}`),
  ),
  ...['[]', '[CurveP256]', '[curvep256]', '[X25519]', '[P256]', 'CurveP256'].map((curves) =>
    tls(`curve_preferences: ${curves}`),
  ),
  ...['prefer_server_cipher_suites: yes', 'prefer_server_cipher_suites: ""', 'client_ca_file: ""'].map(tls),
  ...['client_ca_file: nope.crt', 'client_ca_file: server.crt'].map(tls),
  ...['cert_file: server.crt', 'key_file: server.key', 'cert_file: server.key, key_file: server.crt'].map(
    (keys) => `tls_server_config: {${keys}}\n`,
  ),
  ...['tls_server_config: {min_version: TLS12}\n', "tls_server_config: {cert_file: '', key_file: ''}\n"],
  // Headers
  ...['X-Frame-Options: deny', 'X-Frame-Options: DENY', 'x-frame-options: deny', 'X-Frame-Options: ""'].map(header),
  ...['X-Content-Type-Options: nosniff', 'X-Content-Type-Options: sniff', 'X-XSS-Protection: 1', 'Server: x'].map(
    header,
  ),
  ...['Strict-Transport-Security: max-age=31536000; includeSubDomains', 'Strict-Transport-Security: nonsense'].map(
    header,
  ),
  ...["Content-Security-Policy: default-src 'self';\n      script-src 'none'", 'Content-Security-Policy: [a]'].map(
    header,
  ),
];

export const STRICTER: Readonly<Record<string, readonly string[]>> = {
  'hashes that no password fits, and what follows a hash': [
    alice(`'${HASH}xyz'`),
    alice(HASH.slice(0, -1)),
    alice(`${HASH.slice(0, -1)}/`),
    alice(`'${HASH.slice(0, -5)}!${HASH.slice(-4)}'`),
  ],
  'bcrypt of other versions': ['$2x', '$2z', '$2', '$1y'].map((version) => alice(HASH.replace('$2y', version))),
  'user names': ["''", '~', "'a:b'", "' a '", '"a\\tb"', 'a'.repeat(256)].map(user),
  'a second document': [`${http2('true')}---\nfoo: bar\n`],
  'client certificates without a CA': ['VerifyClientCertIfGiven', 'RequireAndVerifyClientCert'].map((type) =>
    tls(`client_auth_type: ${type}`),
  ),
  'old TLS': [tls('max_version: TLS11')],
  'cipher suites': [tls('cipher_suites: [TLS_AES_128_GCM_SHA256]'), tls('cipher_suites: [~]')],
  'header values': ['Content-Security-Policy: "a\\nb"', 'Content-Security-Policy: "ä"'].map(header),
};

export const WIDER: readonly string[] = [
  alice("'$apr1$abcdefgh$RXxR.LGZUs5aXs0SmrOjR1'"),
  alice(`' ${HASH}'`),
  `basic_auth_users:\n  <<: {alice: ${HASH}}\n  alice: ${HASH}\n`,
  ...['!foo true', 'tRue', 'yEs', '"true"', "'yes'"].map(http2),
  `%YAML 1.2\n---\n${http2('true')}`,
  ...['X-Frame-Options: ~', 'X-Content-Type-Options:'].map(header),
];
