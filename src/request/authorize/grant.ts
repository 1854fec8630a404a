/** May they do this? The upstream by its prefix, the kind's table, the identity's rules, in this order. Pure. */
import type { Upstream } from '../../config/config.ts';
import type { RefusalDetails } from '../answer.ts';
import type { DenyReason } from '../deny-reasons.ts';
import type { EndpointClass } from '../endpoints.ts';
import type { Identity } from '../identity.ts';
import type { Target } from '../target.ts';
import { judgeIdentity } from './identity-rules.ts';
import { judgeKind } from './kind-table.ts';
import { chooseRoute } from './route.ts';

export interface GrantQuestion {
  readonly upstreams: readonly Upstream[];
  readonly target: Target;
  readonly identity: Identity;
  readonly address: string;
}

/** What is known when a request is refused says how far it came. */
export interface Refusal {
  readonly kind: 'refused';
  readonly reason: DenyReason;
  readonly details: RefusalDetails;
  readonly upstream: Upstream | null;
  readonly kindPath: string | null;
  readonly endpointClass: EndpointClass | null;
}

export type Grant =
  | {
      readonly kind: 'granted';
      readonly upstream: Upstream;
      readonly kindPath: string;
      readonly endpointClass: EndpointClass;
    }
  | Refusal;

export function grant({ upstreams, target, identity, address }: GrantQuestion): Grant {
  const route = chooseRoute(upstreams, target.path);
  if (route === null) {
    const details = { detail: 'no upstream has a path_prefix for it' };
    return { kind: 'refused', reason: 'path_unknown', details, upstream: null, kindPath: null, endpointClass: null };
  }
  const { upstream, kindPath } = route;
  const refused = (reason: DenyReason, details: RefusalDetails, endpointClass: EndpointClass | null): Refusal => {
    return { kind: 'refused', reason, details, upstream, kindPath, endpointClass };
  };
  const verdict = judgeKind(upstream, target.method, kindPath);
  if (verdict.kind === 'unknown') return refused('path_unknown', {}, null);
  if (verdict.kind === 'wrongMethod') return refused('method_not_allowed', { allow: verdict.allow }, null);
  const endpointClass = verdict.class;
  const reason = judgeIdentity(identity, { address, path: target.path, endpointClass });
  if (reason !== null) return refused(reason, {}, endpointClass);
  return { kind: 'granted', upstream, kindPath, endpointClass };
}
