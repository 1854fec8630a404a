/**
 * Every metric of the gate, once, as data: the registry is built from it, and so is docs/metrics.md. Labels are bounded
 * by the configuration and by closed unions; a stranger can make no series.
 */

export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

/** From a cached answer on loopback to a query that runs into Prometheus's own two-minute limit. */
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
/** From an exporter on loopback to a federation that Prometheus's longest scrape time-outs just allow. */
const SCRAPE_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** From {SHA} to bcrypt of cost 15. */
const HASH_SECONDS = [0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export const METRICS = {
  requests: {
    name: 'promgate_requests_total',
    type: 'counter',
    help: 'Answered requests by upstream, HTTP status code and identity.',
    labels: ['upstream', 'code', 'identity'],
  },
  requestDuration: {
    name: 'promgate_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the request line to the last byte of the answer.',
    labels: ['upstream'],
    buckets: REQUEST_SECONDS,
  },
  requestBytes: {
    name: 'promgate_request_bytes_total',
    type: 'counter',
    help: 'Bytes of request bodies received.',
    labels: ['upstream', 'identity'],
  },
  responseBytes: {
    name: 'promgate_response_bytes_total',
    type: 'counter',
    help: 'Bytes of response bodies sent.',
    labels: ['upstream', 'identity'],
  },
  scrapes: {
    name: 'promgate_scrapes_total',
    type: 'counter',
    help: 'Scrapes (GET /federate and GET /metrics) that went upstream, or got the answer of one that did.',
    labels: ['upstream', 'identity', 'sharing'],
  },
  scrapeSamples: {
    name: 'promgate_scrape_samples_total',
    type: 'counter',
    help: 'Samples in the answers to scrapes, where they can be counted.',
    labels: ['upstream', 'identity'],
  },
  scrapeBytes: {
    name: 'promgate_scrape_bytes_total',
    type: 'counter',
    help: 'Bytes of the answers to scrapes before the gate compressed them.',
    labels: ['upstream', 'identity'],
  },
  scrapeSeries: {
    name: 'promgate_scrape_series',
    type: 'gauge',
    help: 'Series in the last whole answer to a scrape.',
    labels: ['upstream', 'identity'],
  },
  scrapeDuration: {
    name: 'promgate_scrape_duration_seconds',
    type: 'histogram',
    help: 'Time from the request line of a scrape to the last byte of its answer.',
    labels: ['identity'],
    buckets: SCRAPE_SECONDS,
  },
  scrapeFirstByte: {
    name: 'promgate_scrape_first_byte_seconds',
    type: 'histogram',
    help: 'Time from the request line of a scrape to the first byte of its answer.',
    labels: ['identity'],
    buckets: SCRAPE_SECONDS,
  },
  identityLastSeen: {
    name: 'promgate_identity_last_seen_timestamp_seconds',
    type: 'gauge',
    help: 'Time of the last request by an identity, as Unix time; without a series it was not seen since the start.',
    labels: ['identity'],
  },
  requestsInFlight: {
    name: 'promgate_requests_in_flight',
    type: 'gauge',
    help: 'Requests whose answer is not over yet.',
    labels: [],
  },
  refused: {
    name: 'promgate_refused_total',
    type: 'counter',
    help: 'Refused connections and requests by reason; the reasons are listed in docs/errors.md.',
    labels: ['reason'],
  },
  connections: {
    name: 'promgate_connections',
    type: 'gauge',
    help: 'Open client connections.',
    labels: [],
  },
  connectionsOpened: {
    name: 'promgate_connections_opened_total',
    type: 'counter',
    help: 'Client connections accepted since the start.',
    labels: [],
  },
  strangersDeferred: {
    name: 'promgate_unauthenticated_deferred_total',
    type: 'counter',
    help: 'How often a client that has not authenticated had to wait for its turn: with its handshake, or before more was read of it.',
    labels: [],
  },
  certificateNotAfter: {
    name: 'promgate_certificate_not_after_timestamp_seconds',
    type: 'gauge',
    help: 'End of a server certificate, as Unix time.',
    labels: ['name'],
  },
  certificateNotBefore: {
    name: 'promgate_certificate_not_before_timestamp_seconds',
    type: 'gauge',
    help: 'Beginning of a server certificate, as Unix time.',
    labels: ['name'],
  },
  clientCaNotAfter: {
    name: 'promgate_client_ca_not_after_timestamp_seconds',
    type: 'gauge',
    help: 'End of a CA certificate against which clients are verified, as Unix time.',
    labels: ['subject', 'serial'],
  },
  crlNextUpdate: {
    name: 'promgate_crl_next_update_timestamp_seconds',
    type: 'gauge',
    help: 'Time until which a revocation list is valid, as Unix time; crl_on_expiry says what an expired one means.',
    labels: ['issuer'],
  },
  lastReloadSuccessful: {
    name: 'promgate_config_last_reload_successful',
    type: 'gauge',
    help: 'Whether the last reload attempt was successful (1) or the last good state was kept (0).',
    labels: ['source'],
  },
  lastReloadSuccess: {
    name: 'promgate_config_last_reload_success_timestamp_seconds',
    type: 'gauge',
    help: 'Time of the last successful reload, as Unix time.',
    labels: ['source'],
  },
  configInfo: {
    name: 'promgate_config_info',
    type: 'gauge',
    help: 'Always 1; the hash of the running configuration, to find drift over many hosts.',
    labels: ['hash'],
  },
  passwordChecks: {
    name: 'promgate_password_checks_total',
    type: 'counter',
    help: 'Password checks by how they were decided.',
    labels: ['outcome'],
  },
  passwordHashDuration: {
    name: 'promgate_password_hash_duration_seconds',
    type: 'histogram',
    help: 'Time to hash one password in a worker.',
    labels: [],
    buckets: HASH_SECONDS,
  },
  passwordHashQueue: {
    name: 'promgate_password_hash_queue_length',
    type: 'gauge',
    help: 'Password checks that wait for a worker.',
    labels: [],
  },
  lockouts: {
    name: 'promgate_lockouts_total',
    type: 'counter',
    help: 'Lockouts imposed after failed logins.',
    labels: [],
  },
  lockoutsActive: {
    name: 'promgate_lockouts_active',
    type: 'gauge',
    help: 'Lockouts in force.',
    labels: [],
  },
  upstreamUp: {
    name: 'promgate_upstream_up',
    type: 'gauge',
    help: 'Whether the upstream answered the last probe.',
    labels: ['upstream'],
  },
  upstreamRetries: {
    name: 'promgate_upstream_retries_total',
    type: 'counter',
    help: 'Requests sent again because a reused upstream connection had died before a byte of the answer.',
    labels: ['upstream'],
  },
  upstreamBypassable: {
    name: 'promgate_upstream_bypassable',
    type: 'gauge',
    help: 'Whether the port of an upstream on this host listens on more than loopback, so that the gate can be walked around.',
    labels: ['upstream'],
  },
  hostNameResolved: {
    name: 'promgate_host_name_last_resolution_successful',
    type: 'gauge',
    help: 'Whether the last resolution of a host name in `allow` was successful.',
    labels: ['host'],
  },
  hostNameFailures: {
    name: 'promgate_host_name_resolution_failures_total',
    type: 'counter',
    help: 'Failed resolutions of a host name in `allow`.',
    labels: ['host'],
  },
  certificatesIssued: {
    name: 'promgate_enrollment_certificates_total',
    type: 'counter',
    help: 'Certificates that were issued over the gate: for a one-time token, for the client certificate before, or for the key of the server certificate before.',
    labels: ['by'],
  },
  enrollmentOpen: {
    name: 'promgate_enrollment_open',
    type: 'gauge',
    help: 'Whether a one-time token for a certificate is pending.',
    labels: [],
  },
  acmeAttempts: {
    name: 'promgate_acme_attempts_total',
    type: 'counter',
    help: 'Attempts to obtain a certificate from a directory by outcome: issued, staged (as a trial), or why not.',
    labels: ['name', 'directory', 'outcome'],
  },
  acmeNextRenewal: {
    name: 'promgate_acme_next_renewal_timestamp_seconds',
    type: 'gauge',
    help: 'Time from which a certificate is to be renewed, as Unix time; in the past while that fails.',
    labels: ['name'],
  },
  acmeWindowStart: {
    name: 'promgate_acme_ari_window_start_timestamp_seconds',
    type: 'gauge',
    help: 'Beginning of the time in which the CA wants a certificate renewed, as Unix time.',
    labels: ['name'],
  },
  acmeWindowEnd: {
    name: 'promgate_acme_ari_window_end_timestamp_seconds',
    type: 'gauge',
    help: 'End of the time in which the CA wants a certificate renewed, as Unix time.',
    labels: ['name'],
  },
  acmeSelfSigned: {
    name: 'promgate_acme_self_signed',
    type: 'gauge',
    help: 'Whether a self-signed certificate stands in for one that was never issued.',
    labels: ['name'],
  },
  crlKept: {
    name: 'promgate_crl_kept',
    type: 'gauge',
    help: 'Whether the gate renews a list of its own CA; 0 when the key is missing or has a passphrase.',
    labels: ['file'],
  },
  crlRefreshes: {
    name: 'promgate_crl_refreshes_total',
    type: 'counter',
    help: 'Lists of the own CA that the gate renewed, or failed to, by outcome.',
    labels: ['outcome'],
  },
  crlFetched: {
    name: 'promgate_crl_fetched_timestamp_seconds',
    type: 'gauge',
    help: 'Time at which a list of `crl.fetch` was last fetched, changed or not, as Unix time; 0 before the first time.',
    labels: ['file'],
  },
  crlFetches: {
    name: 'promgate_crl_fetches_total',
    type: 'counter',
    help: 'Attempts to fetch a list of `crl.fetch` by outcome: fetched (changed or not), or failed and nothing changed.',
    labels: ['outcome'],
  },
  ownCertificateRenewals: {
    name: 'promgate_own_certificate_renewals_total',
    type: 'counter',
    help: 'Server certificates of the own CA that the gate renewed, or failed to, by outcome.',
    labels: ['outcome'],
  },
  logLinesLost: {
    name: 'promgate_log_lines_lost_total',
    type: 'counter',
    help: 'Lines of the log that are lost by reason: their reader stands still, or they could not be written.',
    labels: ['reason'],
  },
  fileHandlesExhausted: {
    name: 'promgate_file_handles_exhausted',
    type: 'gauge',
    help: 'Whether the process can open no file and no connection, because it has as many as it may.',
    labels: [],
  },
  buildInfo: {
    name: 'promgate_build_info',
    type: 'gauge',
    help: 'Always 1; version of the gate and of Node.',
    labels: ['version', 'node_version'],
  },
} as const satisfies Record<string, MetricRow>;

/** Of the default metrics of prom-client those that follow the naming rules; `promtool check metrics` refuses the rest. */
export const RUNTIME_METRIC = /^(?:process_|nodejs_(?:eventloop_lag_|gc_duration_|heap_size_used_|external_memory_))/;

/** What is shown where a label has no value of its own, and where it has one that the configuration does not know. */
export const NO_LABEL = 'none';
export const OTHER_LABEL = 'other';
