/** A rule of `identities[].paths`: a path that nothing in front of which the gate stands has is a slip, and admits nothing. */
import { matchesPath } from '../../formats/path-pattern.ts';
import type { PathPattern } from '../../formats/path-pattern.ts';
import { didYouMean } from '../../formats/suggest.ts';
import { ENDPOINTS, SELF_ENDPOINTS } from '../../request/endpoints.ts';
import type { RawUpstream } from '../schema.ts';
import { warning } from './rule.ts';
import type { Rule } from './rule.ts';

export const pathRule: Rule = ({ raw }) =>
  (raw.identities ?? []).flatMap(({ paths = [] }, index) =>
    paths.flatMap((path, item) => {
      if ('class' in path || raw.upstreams.some((upstream) => reaches(path.pattern, upstream))) return [];
      const { text } = path.pattern;
      const hint = suggestion(text, raw.upstreams);
      const message = `${JSON.stringify(text)} is a path that no upstream has: it admits nothing`;
      return [warning(message, ['identities', index, 'paths', item], hint === null ? {} : { hint })];
    }),
  );

/** null: everything. */
function endpointsOf({ url, kind }: RawUpstream): readonly string[] | null {
  if (kind === 'any') return null;
  const rows =
    url.address.kind === 'self' ? [...ENDPOINTS.exporter, ...SELF_ENDPOINTS] : ENDPOINTS[kind ?? 'prometheus'];
  return rows.map(({ path }) => path);
}

function prefixOf({ path_prefix: prefix }: RawUpstream): string {
  return prefix === '/' ? '' : prefix;
}

/** Whether something that the upstream has matches the pattern. */
function reaches(pattern: PathPattern, upstream: RawUpstream): boolean {
  const endpoints = endpointsOf(upstream);
  const prefix = prefixOf(upstream);
  if (endpoints === null)
    return pattern.path.startsWith(prefix) || (pattern.kind === 'prefix' && `${prefix}/`.startsWith(pattern.path));
  if (endpoints.some((path) => overlaps(pattern, prefix + path))) return true;
  return upstream.also_allow.some(({ path }) => overlaps(pattern, prefix + path.text) || overlaps(pattern, path.text));
}

/** @param endpoint a segment `*` is any one, a trailing `/**` or `/*` one or more. */
function overlaps(pattern: PathPattern, endpoint: string): boolean {
  const [ours, theirs] = [pattern.path.split('/'), endpoint.split('/')];
  for (const [index, segment] of theirs.entries()) {
    const own = ours[index];
    const isLast = index === theirs.length - 1;
    if (own === undefined || (own === '' && index === ours.length - 1 && pattern.kind === 'prefix'))
      return pattern.kind === 'prefix';
    if (segment === '**' || (segment === '*' && isLast)) return own !== '' || ours.length > index + 1;
    if (segment !== '*' && segment !== own) return false;
  }
  return ours.length === theirs.length || matchesPath(pattern, endpoint);
}

function suggestion(text: string, upstreams: readonly RawUpstream[]): string | null {
  const known = upstreams.flatMap((upstream) => (endpointsOf(upstream) ?? []).map((path) => prefixOf(upstream) + path));
  const near = didYouMean(
    text,
    known.filter((path) => !path.includes('*')),
  );
  return near === null
    ? 'docs/endpoints.md lists what each kind has; also_allow of the upstream adds to it'
    : `did you mean ${near}?`;
}
