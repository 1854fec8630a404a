/** Rules of `exempt`: what needs no credentials is for known addresses, and should exist. */
import { matchesPath } from '../../formats/path-pattern.ts';
import type { Problem } from '../../lib/problem.ts';
import { ENDPOINTS } from '../../request/endpoints.ts';
import type { RawUpstream } from '../schema.ts';
import { error, warning } from './rule.ts';
import type { Rule } from './rule.ts';

export const exemptRule: Rule = ({ raw }) =>
  raw.exempt.flatMap(({ paths, from }, index): Problem[] => {
    const at = ['exempt', index];
    const found: Problem[] = [];
    if (paths.length === 0) found.push(error('paths is empty', [...at, 'paths'], { at: 'key' }));
    if (from.length === 0) {
      const hint = 'name the networks of your health checks';
      found.push(error('from is empty: nobody would be exempt', [...at, 'from'], { at: 'key', hint }));
    }
    for (const [item, { prefix }] of from.entries()) {
      if (prefix > 0) continue;
      const hint = 'name narrower networks; to ask nobody for credentials write authenticate: none';
      found.push(error('a network of every address: it would exempt the whole world', [...at, 'from', item], { hint }));
    }
    for (const [item, path] of paths.entries()) {
      const fault = unreachable(path, raw.upstreams);
      if (fault !== null) found.push(warning(fault, [...at, 'paths', item]));
    }
    return found;
  });

/** Why nobody without credentials gets an answer at a path; null when somebody does. */
function unreachable(path: string, upstreams: readonly RawUpstream[]): string | null {
  const route = longestRoute(path, upstreams);
  const quoted = JSON.stringify(path);
  if (route === null) return `no upstream has the path ${quoted}`;
  const { upstream, below } = route;
  const kind = upstream.kind ?? (upstream.url.address.kind === 'self' ? 'exporter' : 'prometheus');
  if (kind === 'any') return null;
  const isRead = (methods: readonly string[]) => methods.some((method) => ['GET', 'HEAD', '*'].includes(method));
  const row = ENDPOINTS[kind].find((endpoint) => isRead(endpoint.methods) && namesPath(endpoint.path, below));
  if (row?.class === 'internals') return `${quoted} is of the class @internals, which is never exempt`;
  const isAllowed =
    row !== undefined ||
    upstream.also_allow.some(({ path: grant, methods }) => isRead(methods) && matchesPath(grant, below));
  return isAllowed
    ? null
    : `an upstream of kind ${kind} has no path ${JSON.stringify(below)}: it is not found, exempt or not`;
}

function longestRoute(
  path: string,
  upstreams: readonly RawUpstream[],
): { readonly upstream: RawUpstream; readonly below: string } | null {
  const routes = upstreams.flatMap((upstream) => {
    const prefix = upstream.path_prefix === '/' ? '' : upstream.path_prefix;
    if (path === prefix) return [{ upstream, below: '/' }];
    return path.startsWith(`${prefix}/`) ? [{ upstream, below: path.slice(prefix.length) }] : [];
  });
  return routes.sort((a, b) => b.upstream.path_prefix.length - a.upstream.path_prefix.length)[0] ?? null;
}

/** In the table `*` is one segment, a trailing `/**` one or more. */
function namesPath(endpoint: string, path: string): boolean {
  const pattern = endpoint
    .split('/')
    .map((segment) => (segment === '**' ? '.+' : segment === '*' ? '[^/]+' : segment.replace(/[.+]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${pattern}$`).test(path);
}
