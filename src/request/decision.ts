/** Contract: a request that somebody might make, and what is decided about it, step by step. */
import type { Config, IdentityRule, Upstream } from '../config/config.ts';
import type { DocumentPath } from '../lib/problem.ts';
import type { TlsFacts } from './connection.ts';
import type { DenyReason } from './deny-reasons.ts';
import type { Identity } from './identity.ts';
import type { WrittenQuestion } from './question.ts';
import type { Target } from './target.ts';

/** A request that somebody might make. */
export interface Case {
  readonly config: Config;
  readonly hosts: { has(address: string): boolean };
  /** The TCP peer, in normal form. */
  readonly peer: string;
  /** What a proxy in front would say. */
  readonly forwardedFor: string | undefined;
  readonly method: string;
  /** The request target, in origin form. */
  readonly target: string;
  readonly tls: TlsFacts | null;
  /** Whose password is sent and taken to be right; null: no password is sent. */
  readonly user: string | null;
  /** What a POST carries as a form; null: nothing. */
  readonly form: string | null;
  readonly nowMs: number;
}

/** `connect` is judged before a byte of HTTP: what it refuses is closed, not answered. */
export type StepName = 'connect' | 'accept' | 'target' | 'authenticate' | 'authorize' | 'enforce' | 'caps' | 'forward';

export interface Decision {
  readonly step: StepName;
  /** null: the request goes on. */
  readonly reason: DenyReason | null;
  /** One sentence, no full stop; what was asked for stands in it as it came. */
  readonly says: string;
  /** The key that decided; null: nothing in the configuration did. A key that is not written stands for its default. */
  readonly because: DocumentPath | null;
}

/** What the decisions have found so far. */
export interface Findings {
  readonly asked: Case;
  address: string;
  target: Target;
  identity: Identity | null;
  upstream: Upstream | null;
  kindPath: string;
  question: WrittenQuestion | null;
}

export function passed(step: StepName, says: string, because: DocumentPath | null = null): Decision {
  return { step, reason: null, says, because };
}

export function refused(
  step: StepName,
  reason: DenyReason,
  says: string,
  because: DocumentPath | null = null,
): Decision {
  return { step, reason, says, because };
}

export function upstreamAt({ upstreams }: Config, upstream: Upstream): DocumentPath {
  return ['upstreams', upstreams.indexOf(upstream)];
}

export function ruleAt({ identities }: Config, rule: IdentityRule): DocumentPath {
  return ['identities', identities?.indexOf(rule) ?? 0];
}

export function ruleOf(identity: Identity | null): IdentityRule | null {
  return identity?.claim.kind === 'rule' ? identity.claim.rule : null;
}
