/**
 * The closed table: what an identity that may not see everything may ask, with which parameters, and how the question or
 * the answer is narrowed. Data only. What is not listed here is refused for such an identity, whatever else it may do.
 */
import type { Upstream } from '../../config/config.ts';
import type { UpstreamKind } from '../endpoints.ts';

export type Treatment =
  /** Every `match[]` is narrowed; `without`: what a request without one gets. */
  | { readonly how: 'selectors'; readonly without: 'nothing' | 'refusal' | 'everything_allowed' }
  /** One conjunction is added to every selector of the PromQL expression in `query`. */
  | { readonly how: 'query' }
  /** JSON of which only what the identity may see is left. */
  | { readonly how: 'json'; readonly of: 'rules' | 'alerts' | 'targets' | 'metadata' }
  /** Nothing in the answer is of any series. */
  | { readonly how: 'pass' }
  /** The page of an exporter, filtered line by line. */
  | { readonly how: 'exposition' };

export interface EnforcedEndpoint {
  /** A segment `*` stands for exactly one segment. */
  readonly path: string;
  readonly methods: readonly ('GET' | 'POST')[];
  readonly treatment: Treatment;
  /** A scalar may come once, in the query or in the body; a list as often as it likes. Others are not forwarded. */
  readonly scalars: readonly string[];
  readonly lists: readonly string[];
  /** They change what an answer says in a way that cannot be narrowed: 400. */
  readonly refused?: readonly string[];
}

export const SELECTORS = 'match[]';
export const EXPRESSION = 'query';

const GET = ['GET'] as const;
const QUERY = ['GET', 'POST'] as const;
const WINDOW = ['start', 'end', 'limit'];
const EVALUATION = ['timeout', 'limit', 'lookback_delta', 'stats'];

const METRICS: EnforcedEndpoint = {
  path: '/metrics',
  methods: GET,
  treatment: { how: 'exposition' },
  scalars: [],
  // node_exporter's: they only narrow.
  lists: ['collect[]', 'exclude[]'],
};

const FEDERATE: EnforcedEndpoint = {
  path: '/federate',
  methods: GET,
  treatment: { how: 'selectors', without: 'nothing' },
  scalars: [],
  lists: [SELECTORS],
};

export const ENFORCED_ENDPOINTS: Readonly<Record<UpstreamKind | 'self', readonly EnforcedEndpoint[]>> = {
  prometheus: [
    FEDERATE,
    METRICS,
    {
      path: '/api/v1/query',
      methods: QUERY,
      treatment: { how: 'query' },
      scalars: [EXPRESSION, 'time', ...EVALUATION],
      lists: [],
    },
    {
      path: '/api/v1/query_range',
      methods: QUERY,
      treatment: { how: 'query' },
      scalars: [EXPRESSION, 'start', 'end', 'step', ...EVALUATION],
      lists: [],
    },
    {
      path: '/api/v1/query_exemplars',
      methods: QUERY,
      treatment: { how: 'query' },
      scalars: [EXPRESSION, 'start', 'end'],
      lists: [],
    },
    {
      path: '/api/v1/series',
      methods: QUERY,
      treatment: { how: 'selectors', without: 'refusal' },
      scalars: WINDOW,
      lists: [SELECTORS],
    },
    {
      path: '/api/v1/labels',
      methods: QUERY,
      treatment: { how: 'selectors', without: 'everything_allowed' },
      scalars: WINDOW,
      lists: [SELECTORS],
    },
    {
      path: '/api/v1/label/*/values',
      methods: GET,
      treatment: { how: 'selectors', without: 'everything_allowed' },
      scalars: WINDOW,
      lists: [SELECTORS],
    },
    {
      path: '/api/v1/rules',
      methods: GET,
      treatment: { how: 'json', of: 'rules' },
      scalars: ['type'],
      // On rules match[] only leaves some out.
      lists: ['rule_name[]', 'rule_group[]', 'file[]', SELECTORS],
      // Without alerts the state of a rule is that of everybody's; the token of the next page is made of a group's name.
      refused: ['exclude_alerts', 'group_limit', 'group_next_token'],
    },
    { path: '/api/v1/alerts', methods: GET, treatment: { how: 'json', of: 'alerts' }, scalars: [], lists: [] },
    {
      path: '/api/v1/targets',
      methods: GET,
      treatment: { how: 'json', of: 'targets' },
      scalars: ['state', 'scrapePool'],
      lists: [],
    },
    {
      path: '/api/v1/metadata',
      methods: GET,
      treatment: { how: 'json', of: 'metadata' },
      scalars: ['metric', 'limit', 'limit_per_metric'],
      lists: [],
    },
    { path: '/api/v1/status/buildinfo', methods: GET, treatment: { how: 'pass' }, scalars: [], lists: [] },
    { path: '/api/v1/format_query', methods: QUERY, treatment: { how: 'pass' }, scalars: [EXPRESSION], lists: [] },
  ],
  exporter: [METRICS],
  // It evaluates selectors itself; what another exporter would do with them nobody knows.
  self: [METRICS, FEDERATE],
  any: [],
};

/** The endpoint that a method and a path (below the upstream's prefix) name; null: there is none. */
export function enforcedEndpoint(
  { kind, address }: Pick<Upstream, 'kind' | 'address'>,
  method: string,
  path: string,
): EnforcedEndpoint | null {
  const segments = path.split('/');
  for (const endpoint of ENFORCED_ENDPOINTS[address.kind === 'self' ? 'self' : kind]) {
    if (endpoint.methods.some((one) => one === method) && isOn(endpoint.path, path, segments)) return endpoint;
  }
  return null;
}

function isOn(pattern: string, path: string, segments: readonly string[]): boolean {
  if (!pattern.includes('*')) return pattern === path;
  const wanted = pattern.split('/');
  return (
    wanted.length === segments.length &&
    wanted.every((segment, index) => (segment === '*' ? segments[index] !== '' : segment === segments[index]))
  );
}
