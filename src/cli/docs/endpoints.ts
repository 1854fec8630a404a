/** docs/endpoints.md from the closed table of endpoints. Pure. */
import {
  ENDPOINTS,
  SELF_ENDPOINTS,
  UPSTREAM_KINDS,
  type Endpoint,
  type PATH_CLASSES,
  type UpstreamKind,
} from '../../request/endpoints.ts';
import { code, GENERATED, markdownDocument, markdownTable } from './markdown.ts';

const KINDS: Readonly<Record<UpstreamKind, string>> = {
  prometheus: 'A Prometheus server.',
  exporter: 'An exporter, such as node_exporter.',
  any: 'Every path and every method is passed on, cookies with `pass_cookies` only, and upgrades (WebSocket) not at all: such a request goes upstream without its upgrade. Only for upstreams that decide themselves who may do what. A path must be in normal form all the same: for a Pushgateway write label values with a slash or another odd character as it documents, `/metrics/job@base64/PATH`, not with `%2F`.',
};

const CLASSES: Readonly<Record<keyof typeof PATH_CLASSES, string>> = {
  '@scrape': 'what a scraping Prometheus and a load balancer need',
  '@query': 'PromQL and metadata, as Grafana asks for them',
  '@ui': 'the pages of the web interface',
  '@internals':
    'what reveals secrets or topology; reached only by an identity that names it, so not at all without `identities`',
};

export function endpointsDocument(): string {
  return markdownDocument(
    GENERATED,
    '# Endpoints',
    "The `kind` of an upstream decides which paths and methods exist. What is not listed answers 404, a wrong method 405; `also_allow` of the upstream is the only way to widen it. In a path `*` stands for exactly one segment, a trailing `**` for one or more. Paths are those below the upstream's `path_prefix`.",
    '## Classes',
    'An entry of `identities` narrows what it may reach with `paths`: by path, or by one of these names.',
    markdownTable(
      ['Name', 'What it is'],
      Object.entries(CLASSES).map(([name, meaning]) => [code(name), meaning]),
    ),
    ...UPSTREAM_KINDS.flatMap((kind) => [`## kind: ${kind}`, KINDS[kind], ...kindTable(ENDPOINTS[kind])]),
    '## url: self',
    'The metrics of the gate itself: what `kind: exporter` has, and beside it `/federate`, which evaluates its selectors as Prometheus does.',
    ...kindTable(SELF_ENDPOINTS),
    '## Off unless `also_allow` names them',
    'Of a Prometheus: `/api/v1/admin/tsdb/*`, `DELETE /api/v1/series`, `/-/quit`, `/-/reload`, `/api/v1/read`, `/api/v1/write`, `/api/v1/otlp/*`, `/debug/*`, and whatever a later version adds.',
  );
}

function kindTable(endpoints: readonly Endpoint[]): string[] {
  if (endpoints.length === 0) return [];
  const rows = endpoints.map((endpoint) => [
    code(`@${endpoint.class}`),
    endpoint.methods.join(', '),
    code(endpoint.path),
  ]);
  return [markdownTable(['Class', 'Methods', 'Path'], rows)];
}
