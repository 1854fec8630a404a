/** Whether a path exists for a kind of upstream, and with which methods: the closed table, compiled once. Pure. */
import type { EndpointGrant, Upstream } from '../../config/config.ts';
import { matchesPath } from '../../formats/path-pattern.ts';
import { ENDPOINTS, SELF_ENDPOINTS } from '../endpoints.ts';
import type { Endpoint, EndpointClass, UpstreamKind } from '../endpoints.ts';

export type KindVerdict =
  | { readonly kind: 'allowed'; readonly class: EndpointClass }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'wrongMethod'; readonly allow: readonly string[] };

interface CompiledTable {
  readonly exact: ReadonlyMap<string, readonly Endpoint[]>;
  readonly patterns: readonly { readonly segments: readonly string[]; readonly endpoint: Endpoint }[];
}

function compile(endpoints: readonly Endpoint[]): CompiledTable {
  const exact = new Map<string, Endpoint[]>();
  const patterns: { segments: string[]; endpoint: Endpoint }[] = [];
  for (const endpoint of endpoints) {
    if (endpoint.path.includes('*')) patterns.push({ segments: endpoint.path.split('/'), endpoint });
    else exact.set(endpoint.path, [...(exact.get(endpoint.path) ?? []), endpoint]);
  }
  return { exact, patterns };
}

const TABLES: Readonly<Record<UpstreamKind, CompiledTable>> = {
  prometheus: compile(ENDPOINTS.prometheus),
  exporter: compile(ENDPOINTS.exporter),
  any: compile(ENDPOINTS.any),
};

const SELF = compile([...ENDPOINTS.exporter, ...SELF_ENDPOINTS]);

/** `*` is one non-empty segment, a trailing `**` one or more. */
function segmentsMatch(pattern: readonly string[], path: readonly string[]): boolean {
  const open = pattern.at(-1) === '**';
  const fixed = open ? pattern.length - 1 : pattern.length;
  if (open ? path.length <= fixed : path.length !== fixed) return false;
  for (let index = 0; index < fixed; index++) {
    const wanted = pattern[index];
    const found = path[index];
    if (wanted === '*' ? found === '' : wanted !== found) return false;
  }
  return !open || path[fixed] !== '';
}

function tableOf({ address, kind }: Pick<Upstream, 'address' | 'kind'>): CompiledTable {
  return address.kind === 'self' ? SELF : TABLES[kind];
}

/** The rows of the table that name this path, whatever their methods. */
function rowsFor(table: CompiledTable, path: string): readonly Endpoint[] {
  const exact = table.exact.get(path) ?? [];
  const segments = path.split('/');
  const matching = table.patterns.filter((pattern) => segmentsMatch(pattern.segments, segments));
  return [...exact, ...matching.map((pattern) => pattern.endpoint)];
}

function grantsFor(grants: readonly EndpointGrant[], path: string): readonly EndpointGrant[] {
  return grants.filter((grant) => matchesPath(grant.path, path));
}

/**
 * Judges method and path (below the upstream's prefix) by the table of the upstream's kind, widened by `also_allow`.
 */
export function judgeKind(upstream: Upstream, method: string, kindPath: string): KindVerdict {
  if (upstream.kind === 'any') return { kind: 'allowed', class: 'any' };
  const table = tableOf(upstream);
  // Most requests need no look at the patterns: exact rows come first among those that match.
  const exact = table.exact.get(kindPath)?.find((candidate) => candidate.methods.includes(method));
  if (exact !== undefined) return { kind: 'allowed', class: exact.class };
  const rows = rowsFor(table, kindPath);
  const row = rows.find((candidate) => candidate.methods.includes(method));
  if (row !== undefined) return { kind: 'allowed', class: row.class };
  const grants = grantsFor(upstream.alsoAllow, kindPath);
  if (grants.some((grant) => grant.methods.length === 0 || grant.methods.includes(method))) {
    return { kind: 'allowed', class: 'also_allow' };
  }
  const allow = new Set([...rows.flatMap((found) => found.methods), ...grants.flatMap((grant) => grant.methods)]);
  return allow.size === 0 ? { kind: 'unknown' } : { kind: 'wrongMethod', allow: [...allow] };
}
