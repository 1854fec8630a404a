/** Every rule over several keys, and the few that fit nowhere else. */
import type { Problem } from '../../lib/problem.ts';
import { acmeRule } from './acme.ts';
import type { ConfigSource } from '../config.ts';
import { addressRule } from './addresses.ts';
import { authenticationRule } from './authentication.ts';
import { enrollmentRule } from './enrollment.ts';
import { crlRule } from './crl.ts';
import { capsRule } from './caps.ts';
import { exemptRule } from './exempt.ts';
import { exposureRule } from './exposure.ts';
import { identityRule } from './identities.ts';
import { pathRule } from './paths.ts';
import { restrictionRule } from './restrictions.ts';
import { error, warning } from './rule.ts';
import type { Rule, RuleInput } from './rule.ts';
import { scrapeRule } from './scrapes.ts';
import { keyTypeRule, tlsRule } from './tls.ts';
import { upstreamRule } from './upstreams.ts';

const rateLimitRule: Rule = ({ raw }) => {
  const limit = raw.rate_limit;
  if (limit === undefined || limit.interval === 0) return [];
  if (limit.burst === 0) {
    return [error('burst is 0: every request would be refused', ['rate_limit', 'burst'], { hint: 'write 1 or more' })];
  }
  // A bare number is what Go reads: nanoseconds.
  if (limit.interval < 0.001) {
    const hint = 'a number without a unit is one of nanoseconds: write 1s or 100ms';
    return [warning('interval is shorter than a microsecond: it limits nothing', ['rate_limit', 'interval'], { hint })];
  }
  return [];
};

const limitsRule: Rule = ({ raw }) => {
  const { connections, connections_per_address: perAddress } = raw.limits;
  if (perAddress <= connections) return [];
  const message = `connections_per_address ${String(perAddress)} is above connections ${String(connections)}`;
  return [warning(message, ['limits', 'connections_per_address'], { at: 'map' })];
};

const corsRule: Rule = ({ raw }) =>
  raw.cors?.origins.length === 0
    ? [warning('origins is empty: no page of another origin may ask', ['cors', 'origins'])]
    : [];

const RULES: readonly Rule[] = [
  authenticationRule,
  exposureRule,
  addressRule,
  exemptRule,
  corsRule,
  tlsRule,
  acmeRule,
  enrollmentRule,
  crlRule,
  upstreamRule,
  scrapeRule,
  identityRule,
  pathRule,
  restrictionRule,
  capsRule,
  rateLimitRule,
  limitsRule,
];

/** What the files of a group have to do with the keys. A group is never held back by what another one is like. */
const GROUP_RULES: Readonly<Partial<Record<ConfigSource, Rule>>> = { certificate: keyTypeRule, htpasswd: identityRule };

/** The problems of one group of files with the keys in force, which have been judged before. */
export function judgeGroup(source: ConfigSource, input: RuleInput): readonly Problem[] {
  return GROUP_RULES[source]?.(input) ?? [];
}

/** Every problem that the keys have with each other. */
export function judge(input: RuleInput): readonly Problem[] {
  return RULES.flatMap((rule) => rule(input));
}
