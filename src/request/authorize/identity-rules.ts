/** Whether an identity may do what the kind table has: address, paths, classes. Pure; it only ever narrows. */
import type { IdentityRule } from '../../config/config.ts';
import { matchesPath } from '../../formats/path-pattern.ts';
import type { DenyReason } from '../deny-reasons.ts';
import type { EndpointClass } from '../endpoints.ts';
import type { Identity } from '../identity.ts';

export interface IdentityQuestion {
  readonly address: string;
  /** The public path, with the upstream's prefix. */
  readonly path: string;
  readonly endpointClass: EndpointClass;
}

/** `@internals` reveals secrets or topology: a wildcard does not name it, only the class or the exact path does. */
function mayReachPath(rule: IdentityRule | null, question: IdentityQuestion): boolean {
  const internal = question.endpointClass === 'internals';
  const paths = rule?.paths ?? null;
  if (paths === null) return !internal;
  if (paths.classes.has(question.endpointClass)) return true;
  return paths.patterns.some(
    (pattern) => (!internal || pattern.kind === 'exact') && matchesPath(pattern, question.path),
  );
}

/** @returns why the identity may not, or null when it may. */
export function judgeIdentity(identity: Identity, question: IdentityQuestion): DenyReason | null {
  if (identity.claim.kind === 'refused') return identity.claim.reason;
  const rule = identity.claim.kind === 'rule' ? identity.claim.rule : null;
  if (rule?.allowFrom?.has(question.address) === false) return 'identity_address';
  return mayReachPath(rule, question) ? null : 'identity_path';
}
