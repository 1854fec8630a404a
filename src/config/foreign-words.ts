/**
 * What other programs call the things that promgate has: nginx, Caddy, vmauth, HAProxy, the exporter-toolkit and
 * Prometheus itself. For hints only; nothing is ever read under a foreign name. A key of promgate, or what is to be done.
 */

/** Unknown keys, by the key they are below (`''`: anywhere). */
export const FOREIGN_KEYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  acme: {
    directory: 'write directory_url',
    ca: 'write directory_url',
    server: 'write directory_url',
    domain: 'write domains: [NAME]',
    names: 'write domains',
    challenges: 'write challenge: {type: http-01}',
  },
  enrollment: { directory: 'write authority', ca: 'write authority' },
  upstreams: {
    target: 'write url',
    address: 'write url',
    host: 'write url',
    type: 'write kind',
    prefix: 'write path_prefix',
    path: 'write path_prefix',
    ssl: 'write tls_config and an https URL',
    headers: 'an Authorization header comes of basic_auth or authorization; no others can be set',
    bearer_token_file: 'write authorization: {credentials_file: FILE}',
    password: 'write basic_auth: {username: NAME, password_file: FILE}',
    username: 'write basic_auth: {username: NAME, password_file: FILE}',
  },
  identities: {
    user: 'write password_users: [NAME]',
    users: 'write password_users',
    username: 'write password_users: [NAME]',
    certificate: 'write certificates: [{san: NAME}]',
    from: 'write allow_from',
    allow: 'write allow_from',
    path: 'write paths: [PATH]',
    src_paths: 'write paths',
    selector: 'write match',
    selectors: 'write match',
    label: 'write labels',
  },
  basic_auth: { password: 'write password_file, the name of a file with the password' },
  authorization: { credentials: 'write credentials_file, the name of a file with the token' },
  tls_server_config: {
    certificate: 'write cert_file',
    private_key: 'write key_file',
    ca: 'write client_ca_file',
    ca_file: 'write client_ca_file',
    crl: 'write client_crl_files: [FILE]',
    crl_file: 'write client_crl_files: [FILE]',
    client_auth: 'write client_auth_type',
    client_cas: 'write client_ca_file',
    ciphers: 'write cipher_suites',
    protocols: 'write min_version: TLS12',
  },
  '': {
    // nginx
    ssl_certificate: 'write tls_server_config: {cert_file: FILE, key_file: FILE}',
    ssl_certificate_key: 'write tls_server_config: {cert_file: FILE, key_file: FILE}',
    ssl_client_certificate: 'write tls_server_config: {client_ca_file: FILE}',
    ssl_verify_client: 'write client_auth_type in tls_server_config',
    ssl_crl: 'write client_crl_files: [FILE] in tls_server_config',
    ssl_protocols: 'write min_version in tls_server_config',
    ssl_ciphers: 'write cipher_suites in tls_server_config',
    auth_basic: 'users stand in htpasswd_file',
    auth_basic_user_file: 'write htpasswd_file',
    proxy_pass: 'write upstreams: [{url: URL}]',
    upstream: 'write upstreams: [{url: URL}]',
    server_name: 'promgate answers under every name of its certificates',
    set_real_ip_from: 'write trusted_proxies',
    limit_req: 'write rate_limit',
    location: 'paths stand in identities, or in path_prefix of an upstream',
    server: 'write listen_addresses',
    // Caddy
    reverse_proxy: 'write upstreams: [{url: URL}]',
    basicauth: 'write basic_auth_users or htpasswd_file',
    basic_auth: 'write basic_auth_users or htpasswd_file',
    // vmauth
    users: 'write basic_auth_users: {NAME: HASH}, or htpasswd_file',
    url_prefix: 'write upstreams: [{url: URL}]',
    unauthorized_user: 'write authenticate: none, or exempt for some paths',
    max_concurrent_requests: 'write max_connections in an upstream',
    // HAProxy
    bind: 'write listen_addresses',
    frontend: 'write listen_addresses',
    backend: 'write upstreams: [{url: URL}]',
    userlist: 'write basic_auth_users or htpasswd_file',
    // Prometheus, its toolkit, and plain words
    listen: 'write listen_addresses: [ADDRESS]',
    listen_address: 'write listen_addresses: [ADDRESS]',
    port: 'write listen_addresses: [":9095"]',
    tls: 'write tls_server_config',
    tls_config: 'write tls_server_config',
    ssl: 'write tls_server_config',
    targets: 'write upstreams: [{url: URL}]',
    url: 'write upstreams: [{url: URL}]',
    auth: 'write authenticate',
    passwords: 'write basic_auth_users or htpasswd_file',
    htpasswd: 'write htpasswd_file',
    whitelist: 'write allow',
    allowlist: 'write allow',
    allow_from: 'write allow, or allow_from in an identity',
    blacklist: 'write deny',
    denylist: 'write deny',
    proxies: 'write trusted_proxies',
    clients: 'write identities',
    roles: 'write identities',
    letsencrypt: 'write acme: {domains: [NAME]}',
  },
};

/** Words where one of a closed list belongs, by the key. */
export const FOREIGN_WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  kind: {
    node_exporter: 'exporter',
    'node-exporter': 'exporter',
    node: 'exporter',
    metrics: 'exporter',
    prom: 'prometheus',
    server: 'prometheus',
    thanos: 'prometheus',
    mimir: 'prometheus',
    cortex: 'prometheus',
    victoriametrics: 'prometheus',
    pushgateway: 'any',
    alertmanager: 'any',
    grafana: 'any',
    http: 'any',
    all: 'any',
  },
  authenticate: {
    mtls: 'certificate',
    tls: 'certificate',
    cert: 'certificate',
    certs: 'certificate',
    certificates: 'certificate',
    client_certificate: 'certificate',
    x509: 'certificate',
    basic: 'password',
    basic_auth: 'password',
    passwords: 'password',
    htpasswd: 'password',
    users: 'password',
    any: 'either',
    or: 'either',
    all: 'both',
    and: 'both',
    off: 'none',
    no: 'none',
    false: 'none',
  },
  client_auth_type: {
    none: 'NoClientCert',
    off: 'NoClientCert',
    optional: 'VerifyClientCertIfGiven',
    require: 'RequireAndVerifyClientCert',
    required: 'RequireAndVerifyClientCert',
    on: 'RequireAndVerifyClientCert',
    verify: 'RequireAndVerifyClientCert',
    mtls: 'RequireAndVerifyClientCert',
  },
  type: { http: 'http-01', http01: 'http-01', dns: 'dns-01', dns01: 'dns-01', alpn: 'tls-alpn-01', tls: 'tls-alpn-01' },
  min_version: {
    'TLSv1.2': 'TLS12',
    'TLSv1.3': 'TLS13',
    '1.2': 'TLS12',
    '1.3': 'TLS13',
    tls12: 'TLS12',
    tls13: 'TLS13',
  },
  max_version: {
    'TLSv1.2': 'TLS12',
    'TLSv1.3': 'TLS13',
    '1.2': 'TLS12',
    '1.3': 'TLS13',
    tls12: 'TLS12',
    tls13: 'TLS13',
  },
  share: { on: 'identity', true: 'identity', all: 'across_identities', none: 'off', false: 'off' },
};

/** What to write for an unknown key at a place; null when the word is not known. */
export function foreignKeyHint(key: string, path: readonly (string | number)[]): string | null {
  const parent = path.findLast((step) => typeof step === 'string') ?? '';
  const word = key.toLowerCase().replaceAll('-', '_');
  // Headers have names of their own.
  if (parent === 'headers') return null;
  return own(own(FOREIGN_KEYS, parent), word) ?? own(FOREIGN_KEYS[''], word);
}

/** The word of a closed list that a foreign one means. */
export function foreignWordHint(value: string, key: string): string | null {
  return own(own(FOREIGN_WORDS, key), value) ?? own(own(FOREIGN_WORDS, key), value.toLowerCase());
}

function own<T>(table: Readonly<Record<string, T>> | null | undefined, key: string): T | null {
  return table !== null && table !== undefined && Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}
