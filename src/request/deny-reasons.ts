/**
 * Why something was refused: one closed table, used as log field, metric label, public answer and test expectation.
 * docs/errors.md is generated from it. Adding a reason is a compile error until everyone who must know it does.
 */

export interface DenyReasonRow {
  /** The HTTP status of the answer; null where there is no answer because the connection is closed. */
  readonly status: number | null;
  /** What the client is told. Never the exact cause of a failed authentication, never an upstream's address. */
  readonly public: string;
  /** For docs/errors.md: what happened and what the operator can do. */
  readonly meaning: string;
  /** The level of the line of a connection that ends for it, where it is no refusal but an ordinary end; else `info`. */
  readonly level?: 'debug';
}

const CERTIFICATE_PUBLIC = 'client certificate required';

export const DENY_REASONS = {
  // accept: connections
  address_denied: {
    status: 403,
    public: 'address not allowed',
    meaning: 'The address is not in `allow`, or is in `deny`. On a direct connection the socket is closed before TLS.',
  },
  too_many_connections: {
    status: null,
    public: '',
    meaning:
      'All of `limits.connections` are taken. The place goes to the newcomer, and what is closed is the oldest connection that has not authenticated, of the address or net that has most of them; without one, the oldest that rests; without that, the newcomer.',
  },
  too_many_connections_from_address: {
    status: null,
    public: '',
    meaning:
      'One address (an IPv6 /64 counts as one) holds `limits.connections_per_address` connections. The place goes to its newcomer as with `too_many_connections`.',
  },
  tls_handshake_failed: {
    status: null,
    public: '',
    meaning:
      "The TLS handshake failed: an old TLS version, no common cipher, a PROXY protocol header (the detail says so), or a port scan. An alert from the client (`…ALERT_BAD_CERTIFICATE`, `…ALERT_UNKNOWN_CA`) means that the client does not trust the gate's certificate: give it the CA and check the name. A client that resets the connection (`ECONNRESET`) is logged at debug.",
  },
  http_on_tls_port: {
    status: 400,
    // Go's words (net/http), which others look for.
    public: 'Client sent an HTTP request to an HTTPS server.',
    meaning: 'Plain HTTP on a TLS port: the client says `http://` where it must say `https://`.',
  },
  tls_handshake_timeout: {
    status: null,
    public: '',
    meaning:
      'The TLS handshake did not end within `limits.handshake_timeout`, or did not get its turn: too many others wait.',
  },
  costly_handshakes: {
    status: null,
    public: '',
    meaning:
      'Handshakes from the address or its net have cost much: more than 24 KiB of client certificates in one, or one refused after another. For a minute or so a handshake from there, or after three such from wherever, may read 8 KiB; an address (an IPv6 /64) with more than 256 KiB of refused ones, less 4 KiB a second, is closed before TLS. Open connections stay.',
  },
  http2_no_preface: {
    status: null,
    public: '',
    meaning: 'HTTP/2 was negotiated, but no preface came within 5 s.',
  },
  http2_flood: {
    status: null,
    public: '',
    meaning: 'More than 100 resets, PINGs or SETTINGS in 10 s on one HTTP/2 connection.',
  },
  pipeline_exceeded: {
    status: null,
    public: '',
    meaning: 'More than 4 unanswered requests on one HTTP/1.1 connection.',
  },
  unauthenticated_flood: {
    status: null,
    public: '',
    meaning: 'More than 200 requests in 10 s on a connection on which nobody has authenticated.',
  },
  idle_timeout: {
    status: null,
    public: '',
    meaning: 'No request within the idle time-out (10 s before the connection has authenticated, 330 s after).',
    level: 'debug',
  },
  send_timeout: {
    status: null,
    public: '',
    meaning:
      'An answer made no progress for 30 s because the client did not read, or its HTTP/2 session has ended inside Node after an error.',
  },
  connection_expired: {
    status: null,
    public: '',
    meaning: 'The connection reached `max_connection_age` or the end of its client certificate.',
    level: 'debug',
  },
  // accept: requests
  header_timeout: {
    status: 408,
    public: 'request timeout',
    meaning: 'The request headers or body came too slowly.',
  },
  headers_too_large: {
    status: 431,
    public: 'request header fields too large',
    meaning:
      'Headers beyond 64 KiB; or the connection is closed, because those of its unanswered requests come to more than 1 MiB (512 KiB before it has authenticated), or those of all connections to more than 32 MiB and it holds the most.',
  },
  bad_http: { status: 400, public: 'bad request', meaning: 'The HTTP parser refused what came.' },
  bad_target: {
    status: 400,
    public: 'request target is not in normal form',
    meaning:
      'The path has `..`, `//`, an encoded or repeated separator, an over-long encoding, control characters or the like, or the method is not in upper case. Nothing is repaired: send the normal form.',
  },
  bad_header: {
    status: 400,
    public: 'ambiguous request header',
    meaning: 'Two Host, Authorization or Content-Type headers, or an h2 `host` unlike `:authority`.',
  },
  bad_framing: {
    status: 400,
    public: 'bad message framing',
    meaning: 'A transfer coding other than chunked, HTTP/1.0 with a transfer coding, or a body on GET or HEAD.',
  },
  bad_forwarded_for: {
    status: 400,
    public: 'bad X-Forwarded-For',
    meaning: 'A trusted proxy sent an X-Forwarded-For with a token that is not an address.',
  },
  rate_limited: { status: 429, public: 'too many requests', meaning: '`rate_limit` is exhausted.' },
  draining: {
    status: 503,
    public: 'shutting down',
    meaning: 'The gate is shutting down, or the connection must go.',
    level: 'debug',
  },
  // authenticate
  credentials_missing: { status: 401, public: 'authentication required', meaning: 'No credentials were sent.' },
  credentials_malformed: {
    status: 401,
    public: 'authentication required',
    meaning: 'The Authorization header is not a well-formed Basic credential.',
  },
  credentials_wrong: { status: 401, public: 'authentication required', meaning: 'Unknown user or wrong password.' },
  locked_out: {
    status: 429,
    public: 'too many failed logins',
    meaning: 'Address and user, or the address, are locked out. `promgate lockouts` shows and lifts it.',
  },
  login_queue_full: {
    status: 503,
    public: 'too many logins at once',
    meaning: 'The queue of password checks is full, or a check did not end before its deadline.',
  },
  certificate_missing: { status: 401, public: CERTIFICATE_PUBLIC, meaning: 'No client certificate was shown.' },
  certificate_unknown_ca: {
    status: 401,
    public: CERTIFICATE_PUBLIC,
    meaning: 'The client certificate does not lead to a configured client CA.',
  },
  certificate_expired: { status: 401, public: CERTIFICATE_PUBLIC, meaning: 'The client certificate has expired.' },
  certificate_not_yet_valid: {
    status: 401,
    public: CERTIFICATE_PUBLIC,
    meaning: 'The client certificate is not valid yet: compare the clocks.',
  },
  certificate_revoked: {
    status: 401,
    public: CERTIFICATE_PUBLIC,
    meaning: 'The client certificate, or a CA above it, is on the CRL.',
  },
  certificate_wrong_purpose: {
    status: 401,
    public: CERTIFICATE_PUBLIC,
    meaning: 'The certificate is not made for TLS clients (extended key usage clientAuth).',
  },
  certificate_san_not_allowed: {
    status: 401,
    public: CERTIFICATE_PUBLIC,
    meaning: 'No SAN of the certificate is in `client_allowed_sans`.',
  },
  certificate_invalid: {
    status: 401,
    public: CERTIFICATE_PUBLIC,
    meaning: 'The certificate cannot be verified for another reason; the log has the TLS error.',
  },
  crl_expired: {
    status: 401,
    public: CERTIFICATE_PUBLIC,
    meaning: 'A CRL is past its nextUpdate, or one for the issuer is missing: nobody can be verified. Renew the CRL.',
  },
  // authenticate: a certificate over the gate
  enrollment_request_invalid: {
    status: 400,
    public: 'certificate request refused',
    meaning:
      'What came is no certificate request, is not signed by its own key, or has a key that is not certified (ECDSA P-256, P-384, RSA from 2048 bits). A token is not used up by it.',
  },
  enrollment_failed: {
    status: 503,
    public: 'no certificate can be issued now',
    meaning:
      'The own CA cannot sign or write its index; the log has the cause. A token that was sent may be used up: make a new one when it is mended.',
  },
  renewal_refused: {
    status: 403,
    public: 'not allowed',
    meaning:
      'The certificate is not renewed: it is revoked, has ended, is of another CA than that of `enrollment`, or the request is for another key.',
  },
  // authorize
  identity_unknown: {
    status: 403,
    public: 'not allowed',
    meaning: 'The credential is right, but no entry of `identities` claims it.',
  },
  identity_mismatch: {
    status: 403,
    public: 'not allowed',
    meaning: 'Password and certificate belong to two different identities.',
  },
  identity_address: {
    status: 403,
    public: 'not allowed',
    meaning: "The address is not in the identity's `allow_from`.",
  },
  identity_path: {
    status: 403,
    public: 'not allowed',
    meaning: "The path is not in the identity's `paths`, or it is one of `@internals`, which only `paths` gives.",
  },
  path_unknown: {
    status: 404,
    public: 'not found',
    meaning: "The path is not in the upstream's kind table; `also_allow` widens it.",
  },
  method_not_allowed: { status: 405, public: 'method not allowed', meaning: 'The path exists, not with this method.' },
  // enforce
  restricted_path: {
    status: 403,
    public: 'not available to an identity that may not see every series',
    meaning:
      'The identity has `match` or `labels`, and the answers of this path cannot be narrowed to them; docs/enforcement.md lists those that can. Or it is the page of an exporter and `exporter_page` is `refuse`.',
  },
  restricted_query: {
    status: 403,
    public: 'queries are not available to this identity',
    meaning:
      'The `match` of the identity has several selectors, which cannot be enforced inside PromQL. One selector, or `labels`, can.',
  },
  selector_denied: {
    status: 403,
    public: 'the selector is too wide',
    meaning: 'A `match[]` is as wide as a selector in `deny_match` of the identity.',
  },
  bad_parameters: {
    status: 400,
    public: 'bad parameters',
    meaning:
      'Parameters of an identity with `match`, `labels` or `deny_match` that two servers could read in two ways: a single one given twice (in the query and the body), a raw `;`, a bad %-escape, no UTF-8, a NUL; or one that must be there is missing.',
  },
  bad_query: {
    status: 400,
    public: 'bad query',
    meaning:
      'PromQL or a selector of an identity with `match`, `labels` or `deny_match` that does not parse, uses what is not known to be safe to narrow, or comes to too many selectors.',
  },
  narrowing_busy: {
    status: 503,
    public: 'too many long questions at once',
    meaning:
      "More of the identity's long questions and answers wait to be narrowed than may: 200, or 32 MiB. They are narrowed one at a time, the identities in turn.",
  },
  answer_unreadable: {
    status: 502,
    public: 'bad gateway',
    meaning:
      'The answer had to be narrowed to what the identity may see, and could not be read: compressed though it was asked for uncompressed, too large, of another type or shape, or an error of the upstream. The log has the cause.',
  },
  // forward
  body_too_large: {
    status: 413,
    public: 'request body too large',
    meaning: 'The body exceeds `request_body_limit`, or 64 KiB where the question of a restricted identity is read.',
  },
  too_many_bodies: {
    status: 503,
    public: 'too many request bodies at once',
    meaning:
      'Request bodies that are taken in hold 32 MiB at most, at most three quarters of it for one identity, and this one came when its share was taken; or one that had not come to its end made room for an identity that has less. The connection is closed when its client closes it, or within 30 s.',
  },
  media_type: {
    status: 415,
    public: 'unsupported media type',
    meaning:
      'The body has a type that is not accepted here. From an identity with `match`, `labels` or `deny_match` a POST is `application/x-www-form-urlencoded`, in any case and with parameters such as charset, without Content-Encoding.',
  },
  upstream_unreachable: {
    status: 502,
    public: 'upstream unreachable',
    meaning: 'The upstream refused the connection, could not be resolved or its TLS certificate is not trusted.',
  },
  upstream_failed: {
    status: 502,
    public: 'bad gateway',
    meaning: 'The upstream closed the connection or answered with something that is not HTTP.',
  },
  upstream_busy: {
    status: 503,
    public: 'upstream busy',
    meaning:
      '`max_connections` to the upstream are in use, or the share of this identity in them (three quarters), and the queue is full or was waited for too long. Of an answer that was cut: its client did not read it, or it was a stream of events, and another identity had no connection at all.',
  },
  upstream_timeout: { status: 504, public: 'upstream timeout', meaning: 'The upstream did not answer in time.' },
  scrape_timeout: {
    status: 504,
    public: 'not answered within the scrape timeout',
    meaning:
      'The scraper would have given up: `X-Prometheus-Scrape-Timeout-Seconds`, less a margin, was over. Raise its `scrape_timeout`, or ask for less.',
  },
  scrape_busy: {
    status: 503,
    public: 'too many identical scrapes',
    meaning:
      'Two upstream requests for the same scrape are under way, and too much of both answers is gone for a third scraper to share one. A client reads very slowly, or the answer is very large; `share: off` asks the upstream for everyone.',
  },
  scrape_too_slow: {
    status: 503,
    public: 'the answer was read too slowly',
    meaning:
      'The scraper shared an answer with faster ones and fell so far behind that what it had not read yet had to be given up.',
  },
  cap_bytes: {
    status: 422,
    public: 'the answer is larger than this identity may have',
    meaning:
      'A scrape by the identity exceeds `bytes` of its `caps`. 422 as Prometheus answers a query with too many samples; an answer that has begun is cut.',
  },
  cap_series: {
    status: 422,
    public: 'the answer has more series than this identity may have',
    meaning:
      'A scrape by the identity exceeds `series` of its `caps`, or its series cannot be counted: compressed by the upstream though asked for uncompressed, malformed, or no exposition. An answer that has begun is cut.',
  },
  cap_duration: {
    status: 504,
    public: 'the scrape takes longer than this identity may wait',
    meaning: 'A scrape by the identity exceeds `duration` of its `caps`. An answer that has begun is cut.',
  },
  cap_concurrent_scrapes: {
    status: 429,
    public: 'too many scrapes at once',
    meaning:
      'So many scrapes as `concurrent_scrapes` of the `caps` allows are under way for the identity; Retry-After is set. One credential in many scrapers counts together.',
  },
  internal_error: { status: 500, public: 'internal error', meaning: 'A defect of the gate; the log has the details.' },
} as const satisfies Record<string, DenyReasonRow>;

export type DenyReason = keyof typeof DENY_REASONS;

export const DENY_REASON_NAMES = Object.keys(DENY_REASONS) as readonly DenyReason[];
