/**
 * The closed table: which paths exist for which kind of upstream, with which methods, and to which class they belong.
 * Data only; docs and tests are generated from it. What is not listed here does not exist (404), unless an upstream's
 * `also_allow` names it. Checked against the route registration of Prometheus (web/web.go, web/api/v1/api.go).
 */

/** Where a gate with `crl: { publish: true }` gives its revocation lists to all whom it lets speak. GET and HEAD. */
export const CRL_PATH = '/-/promgate/crl';

export const UPSTREAM_KINDS = ['prometheus', 'exporter', 'any'] as const;
export type UpstreamKind = (typeof UPSTREAM_KINDS)[number];

/** `also_allow`: listed by the operator; `any`: an upstream of kind `any`. */
export type EndpointClass = 'scrape' | 'query' | 'ui' | 'internals' | 'also_allow' | 'any';

/** What `identities[].paths` may name. */
export const PATH_CLASSES = {
  '@scrape': 'scrape',
  '@query': 'query',
  '@ui': 'ui',
  '@internals': 'internals',
} as const satisfies Record<string, EndpointClass>;

export interface Endpoint {
  /** A segment `*` stands for exactly one segment; a trailing `/**` for one or more. */
  readonly path: string;
  readonly methods: readonly string[];
  readonly class: EndpointClass;
}

const GET = ['GET'];
const PROBE = ['GET', 'HEAD'];
const QUERY = ['GET', 'POST'];

function rows(
  endpointClass: EndpointClass,
  methods: readonly string[],
  prefix: string,
  paths: readonly string[],
): Endpoint[] {
  return paths.map((path) => ({ path: prefix + path, methods, class: endpointClass }));
}

/** Of the web interface. */
const PAGES = [
  'graph',
  'query',
  'alerts',
  'targets',
  'rules',
  'service-discovery',
  'alertmanager-discovery',
  'status',
  'tsdb-status',
  'flags',
  'config',
  'agent',
  'starting',
  'version',
  // The classic UI, which Debian's package of Prometheus 2 still serves; it renders on the server.
  'classic/graph',
  'classic/alerts',
  'classic/targets',
  'classic/rules',
  'classic/service-discovery',
];

/**
 * `@internals` reveals secrets or topology: it must be named by an identity to be reached, and does not exist without
 * `identities`.
 */
export const ENDPOINTS: Readonly<Record<UpstreamKind, readonly Endpoint[]>> = {
  prometheus: [
    ...rows('scrape', GET, '', ['/federate', '/metrics']),
    ...rows('scrape', PROBE, '', ['/-/healthy', '/-/ready']),
    ...rows('query', QUERY, '/api/v1/', [
      'query',
      'query_range',
      'query_exemplars',
      'labels',
      'series',
      'format_query',
      'parse_query',
    ]),
    ...rows('query', QUERY, '/api/v1/search/', ['*']),
    ...rows('query', GET, '/api/v1/', [
      'label/*/values',
      'metadata',
      'rules',
      'alerts',
      'targets',
      'targets/metadata',
      'scrape_pools',
      'alertmanagers',
      'notifications',
      'notifications/live',
      'status/buildinfo',
      'status/runtimeinfo',
      'status/walreplay',
      'features',
    ]),
    ...rows('ui', GET, '/', [
      '',
      ...PAGES,
      // Prometheus sends either spelling to the other: 2.42 of Debian `/graph` to `/graph/`, others the reverse.
      ...PAGES.map((page) => `${page}/`),
      'favicon.ico',
      'favicon.svg',
      'manifest.json',
      'assets/**',
      'static/**',
      'classic/static/**',
      'classic',
      'classic/',
    ]),
    ...rows('internals', GET, '/', ['classic/status', 'classic/flags', 'classic/config', 'consoles/**', 'user/**']),
    ...rows('internals', GET, '/api/v1/', [
      'status/config',
      'status/flags',
      'status/tsdb',
      'status/self_metrics',
      'scrape_pools/config',
      'targets/relabel_steps',
    ]),
  ],
  // Go's handlers answer HEAD as well, and exporters do not ask for the method.
  exporter: rows('scrape', PROBE, '/', ['metrics', 'probe', '']),
  any: [],
};

/** What `url: self` has beside the table of its kind: the gate's own series, as a Prometheus federates its own. */
export const SELF_ENDPOINTS: readonly Endpoint[] = rows('scrape', GET, '/', ['federate']);
