/**
 * What the section `identities` says of a credential. Passwords and certificates are looked up in separate tables, so
 * that CN=admin is never the password user admin. An ambiguous certificate is refused, not given to the first entry.
 */
import type { CertificateMatcher, IdentityRule } from '../../config/config.ts';
import type { Claim, Identity, VerifiedCertificate } from '../identity.ts';

/** What a request has proved. At least one of the two is set where an identity is asked for. */
export interface Credentials {
  readonly user: string | null;
  readonly certificate: VerifiedCertificate | null;
}

export type Claims = (credentials: Credentials) => Claim;

const OPEN: Claim = { kind: 'open' };
const UNKNOWN: Claim = { kind: 'refused', reason: 'identity_unknown' };
const MISMATCH: Claim = { kind: 'refused', reason: 'identity_mismatch' };

type By = CertificateMatcher['by'];

/** DNS names know no case (RFC 4343); everything else is compared as it is. */
function tableKey(by: By, value: string): string {
  return `${by}:${by === 'dns' ? value.toLowerCase() : value}`;
}

/** Exactly one label in the place of the asterisk: `*.example.com` holds neither `example.com` nor `a.b.example.com`. */
function wildcardKey(name: string): string | null {
  const dot = name.indexOf('.');
  return dot < 1 ? null : name.slice(dot + 1).toLowerCase();
}

/**
 * Builds the lookup of one configuration's identities.
 * @param identities null: every authenticated identity may do what `kind` allows.
 */
export function createClaims(identities: readonly IdentityRule[] | null): Claims {
  if (identities === null) return () => OPEN;
  const byUser = new Map<string, Set<IdentityRule>>();
  const exact = new Map<string, Set<IdentityRule>>();
  const wildcard = new Map<string, Set<IdentityRule>>();
  for (const rule of identities) {
    for (const user of usersOf(rule)) add(byUser, user, rule);
    for (const matcher of rule.certificates) {
      if (!('wildcard' in matcher) || !matcher.wildcard) add(exact, tableKey(matcher.by, matcher.value), rule);
      else if (matcher.by === 'dns') add(wildcard, matcher.value.replace(/^\*\./, '').toLowerCase(), rule);
    }
  }

  const claimOfUser = new Map<string, Claim>();
  for (const [user, rules] of byUser) claimOfUser.set(user, theOneOf(rules));

  function rulesOf({ sans, commonName, spkiHash }: VerifiedCertificate): ReadonlySet<IdentityRule> {
    const found = new Set<IdentityRule>();
    const look = (by: By, value: string) => {
      for (const rule of exact.get(tableKey(by, value)) ?? []) found.add(rule);
    };
    for (const name of sans.dns) look('dns', name);
    for (const name of sans.email) look('email', name);
    for (const name of sans.uri) look('uri', name);
    for (const name of sans.ip) look('ip', name);
    if (commonName !== null) look('cn', commonName);
    look('spki', spkiHash);
    if (found.size > 0) return found;
    for (const name of sans.dns) {
      for (const rule of wildcard.get(wildcardKey(name) ?? '') ?? []) found.add(rule);
    }
    return found;
  }

  return ({ user, certificate }) => {
    if (certificate === null) return (user === null ? undefined : claimOfUser.get(user)) ?? UNKNOWN;
    const claimed = new Set<IdentityRule>();
    if (user !== null) {
      const rules = byUser.get(user);
      if (rules === undefined) return UNKNOWN;
      for (const rule of rules) claimed.add(rule);
    }
    const rules = rulesOf(certificate);
    if (rules.size === 0) return UNKNOWN;
    for (const rule of rules) claimed.add(rule);
    return theOneOf(claimed);
  };
}

function theOneOf(rules: ReadonlySet<IdentityRule>): Claim {
  const [rule, another] = rules;
  if (rule === undefined) return UNKNOWN;
  return another === undefined ? { kind: 'rule', rule } : MISMATCH;
}

/** An entry that names no credential is about the password user of its own name. */
function usersOf(rule: IdentityRule): readonly string[] {
  return rule.passwordUsers.length === 0 && rule.certificates.length === 0 ? [rule.name] : rule.passwordUsers;
}

function add(table: Map<string, Set<IdentityRule>>, key: string, rule: IdentityRule): void {
  const rules = table.get(key) ?? new Set();
  table.set(key, rules.add(rule));
}

/** Names the holder of proved credentials: for logs the exact one, for metrics one that the configuration bounds. */
export function identityOf({ user, certificate }: Credentials, claim: Claim): Identity {
  if (claim.kind === 'rule') {
    return { name: claim.rule.name, label: claim.rule.name, user, certificate, claim };
  }
  if (user !== null) return { name: `password:${user}`, label: user, user, certificate, claim };
  return { name: `certificate:${certificate?.name ?? ''}`, label: 'certificate', user, certificate, claim };
}
