/** Rules of `match`, `labels` and what belongs to them: a restriction that is there restricts, and says what it costs. */
import { matchesPath } from '../../formats/path-pattern.ts';
import type { PathPattern } from '../../formats/path-pattern.ts';
import type { DocumentPath, Problem } from '../../lib/problem.ts';
import { ENDPOINTS } from '../../request/endpoints.ts';
import type { RawIdentity, RawUpstream } from '../schema.ts';
import { error, warning } from './rule.ts';
import type { Rule } from './rule.ts';

/** Where one conjunction is added to PromQL; held to the table of enforce/ by a test. */
export const QUERY_ENDPOINTS: readonly string[] = ['/api/v1/query', '/api/v1/query_range', '/api/v1/query_exemplars'];

/** Classes of which a restricted identity can reach nothing. */
const UNREACHABLE: Readonly<Record<string, string>> = { ui: '@ui', internals: '@internals' };

export const restrictionRule: Rule = ({ raw }) =>
  (raw.identities ?? []).flatMap((identity, index) => {
    const at = ['identities', index];
    return [...emptyProblems(identity, at), ...costProblems(identity, raw.upstreams, at)];
  });

function emptyProblems({ match, labels, exporter_page: page }: RawIdentity, at: DocumentPath): Problem[] {
  const found: Problem[] = [];
  const hint = 'remove the key to let the identity see every series';
  if (match?.length === 0) {
    found.push(error('match is empty: no series could be seen', [...at, 'match'], { at: 'key', hint }));
  }
  if (labels?.length === 0) {
    found.push(error('labels is empty: nothing would be enforced', [...at, 'labels'], { at: 'key', hint }));
  }
  if (page !== undefined && match === undefined && labels === undefined) {
    const message = 'exporter_page does nothing without match or labels';
    found.push(warning(message, [...at, 'exporter_page'], { at: 'key' }));
  }
  return found;
}

function costProblems(identity: RawIdentity, upstreams: readonly RawUpstream[], at: DocumentPath): Problem[] {
  const { match = [], labels = [], paths = [] } = identity;
  if (match.length === 0 && labels.length === 0) return [];
  const found: Problem[] = [];
  if (match.length > 1 && mayQuery(identity, upstreams)) {
    const message = `match has ${String(match.length)} selectors: ${QUERY_ENDPOINTS.join(', ')} are refused (403)`;
    const hint = 'several selectors cannot be enforced inside PromQL: write one, or use labels';
    found.push(warning(message, [...at, 'match'], { at: 'key', hint }));
  }
  for (const [item, path] of paths.entries()) {
    const name = 'class' in path ? UNREACHABLE[path.class] : unreachablePath(path.pattern, upstreams);
    if (name === undefined) continue;
    const message = `${name} is refused (403) for an identity with match or labels`;
    found.push(warning(message, [...at, 'paths', item]));
  }
  return found;
}

/** A single path that leads to a page of the web interface, or to an internal, in some Prometheus. */
function unreachablePath({ kind, path }: PathPattern, upstreams: readonly RawUpstream[]): string | undefined {
  if (kind !== 'exact') return undefined;
  const isUnreachable = prefixesOf(upstreams).some((prefix) =>
    ENDPOINTS.prometheus.some((endpoint) => endpoint.class in UNREACHABLE && prefix + endpoint.path === path),
  );
  return isUnreachable ? path : undefined;
}

/** Of every Prometheus, as something to put a path behind. */
function prefixesOf(upstreams: readonly RawUpstream[]): readonly string[] {
  return upstreams
    .filter(({ kind, url }) => (kind ?? (url.address.kind === 'self' ? 'exporter' : 'prometheus')) === 'prometheus')
    .map(({ path_prefix: prefix }) => (prefix === '/' ? '' : prefix));
}

/** Whether the identity's paths leave it a query endpoint of some Prometheus. */
function mayQuery({ paths }: RawIdentity, upstreams: readonly RawUpstream[]): boolean {
  const endpoints = prefixesOf(upstreams).flatMap((prefix) => QUERY_ENDPOINTS.map((path) => prefix + path));
  if (paths === undefined) return endpoints.length > 0;
  return endpoints.some((endpoint) =>
    paths.some((path) => ('class' in path ? path.class === 'query' : matchesPath(path.pattern, endpoint))),
  );
}
