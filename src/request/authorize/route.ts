/** Which upstream a path belongs to: the longest prefix of whole segments wins. Pure. */
import type { Upstream } from '../../config/config.ts';

export interface Route {
  readonly upstream: Upstream;
  /** The path below the upstream's prefix, absolute: what the kind table judges. */
  readonly kindPath: string;
}

/** The part of `path` below `prefix`, or null when it is not below it. `/a/b` is below `/a`, `/ab` is not. */
function below(path: string, prefix: string): string | null {
  if (prefix === '/') return path;
  if (path === prefix) return '/';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : null;
}

/** @returns null when no upstream's prefix covers the path. */
export function chooseRoute(upstreams: readonly Upstream[], path: string): Route | null {
  let best: Route | null = null;
  for (const upstream of upstreams) {
    if (best !== null && upstream.pathPrefix.length <= best.upstream.pathPrefix.length) continue;
    const kindPath = below(path, upstream.pathPrefix);
    if (kindPath !== null) best = { upstream, kindPath };
  }
  return best;
}
