/**
 * The ordered list of the pure decisions about a request, from its address to what goes upstream: each is the one that
 * the step's hook runs. For `explain`: it says what would happen, and which key of the configuration decided.
 */
import type { Config } from '../config/config.ts';
import { mayConnect } from './accept/addresses.ts';
import { judgeClient } from './accept/client.ts';
import { createClaims } from './authenticate/claim.ts';
import { certificateOutcome, connectionVerdict, describeHolder } from './authenticate/client-certificate.ts';
import { ANONYMOUS, isExempt } from './authenticate/exempt.ts';
import { authenticate, takesPasswords } from './authenticate/modes.ts';
import type { PasswordOutcome } from './authenticate/modes.ts';
import { grant } from './authorize/grant.ts';
import type { DocumentPath } from '../lib/problem.ts';
import type { TlsFacts } from './connection.ts';
import { decideCaps, decideForward, decideQuestion } from './decide-question.ts';
import { passed, refused, ruleAt, ruleOf, upstreamAt } from './decision.ts';
import type { Case, Decision, Findings } from './decision.ts';
import type { DenyReason } from './deny-reasons.ts';
import { judgeTarget } from './target.ts';
import type { Target } from './target.ts';

/** null: there is nothing to decide. */
type Decide = (findings: Findings) => Decision | null;

/** Address, target, exempt and identity, kind and rules: a stranger only ever sees 401. */
const DECISIONS: readonly Decide[] = [
  decidePeer,
  decideClient,
  decideTarget,
  decideIdentity,
  decideGrant,
  decideQuestion,
  decideCaps,
  decideForward,
];

/** Runs the decisions in order, up to the first refusal. Never empty. */
export function decide(question: Case): readonly Decision[] {
  const { peer } = question;
  const nothing: Target = { method: question.method, path: '/', query: '' };
  const findings: Findings = {
    asked: question,
    address: peer,
    target: nothing,
    identity: null,
    upstream: null,
    kindPath: '/',
    question: null,
  };
  const made: Decision[] = [];
  for (const one of DECISIONS) {
    const decision = one(findings);
    if (decision === null) continue;
    made.push(decision);
    if (decision.reason !== null) break;
  }
  return made;
}

function decidePeer({ asked: { config, hosts, peer, tls, nowMs } }: Findings): Decision {
  const { access } = config;
  if (!mayConnect(peer, access, hosts)) {
    return access.deny.has(peer)
      ? refused('connect', 'address_denied', `${peer} is in deny`, ['deny'])
      : refused('connect', 'address_denied', `${peer} is not in allow`, ['allow']);
  }
  const reason = connectionVerdict({ id: 0, peer, tls }, config, nowMs);
  if (reason !== null) {
    const says = `closed behind the TLS handshake: ${about(tls, reason)}`;
    return refused('connect', reason, says, keyOf(reason) ?? ['tls_server_config', 'client_auth_type']);
  }
  return access.allow === null
    ? passed('connect', `${peer} may connect: there is no allow, so everybody may`, ['allow'])
    : passed('connect', `${peer} may connect: it is in allow${askedOfProxies(access, peer)}`, ['allow']);
}

/** Said where the client may be meant to come through a proxy, which has to be in `allow` itself. */
function askedOfProxies({ trustedProxies }: Config['access'], peer: string): string {
  const isDirect = trustedProxies.size > 0 && !trustedProxies.has(peer);
  return isDirect ? ', by itself; a proxy in front of it must be in allow too (--via=PROXY)' : '';
}

function decideClient(findings: Findings): Decision | null {
  const { config, hosts, peer, forwardedFor } = findings.asked;
  const client = judgeClient(peer, forwardedFor, config.access, hosts);
  if (client.address !== null) findings.address = client.address;
  if (client.kind === 'refused') {
    const says =
      client.address === null
        ? `X-Forwarded-For cannot be read: ${client.detail ?? ''}`
        : `the client ${client.address} behind the trusted proxy may not speak to the gate`;
    return refused('accept', client.reason, says, client.address === null ? ['trusted_proxies'] : ['allow']);
  }
  if (client.forwarded) {
    return passed('accept', `the client is ${client.address}, as the trusted proxy ${peer} says`, ['trusted_proxies']);
  }
  if (forwardedFor === undefined) return null;
  return passed('accept', `X-Forwarded-For is not believed: ${peer} is no trusted proxy`, ['trusted_proxies']);
}

function decideTarget(findings: Findings): Decision {
  const { method, target } = findings.asked;
  const judged = judgeTarget(method, target);
  if ('fault' in judged) {
    const upper = method.toUpperCase();
    const says = method === upper ? `not in normal form: ${judged.fault}` : `the method is upper case: ${upper}`;
    return refused('target', 'bad_target', says);
  }
  findings.target = judged;
  return passed('target', `${method} ${judged.path} is in normal form`);
}

function decideIdentity(findings: Findings): Decision {
  const { asked, target, address } = findings;
  const { config, tls, user, nowMs } = asked;
  const exemption = config.exempt.findIndex((one) => isExempt([one], target, address));
  if (exemption !== -1) {
    findings.identity = ANONYMOUS;
    return passed('authenticate', `${target.path} needs no credentials from ${address}`, ['exempt', exemption]);
  }
  const mode = config.authenticate;
  const certificate = certificateOutcome(tls, config.tls?.trust ?? null, nowMs, describeHolder);
  const password = passwordOutcome(config, user);
  const claims = createClaims(config.identities);
  const outcome = authenticate({ mode, certificate, password, claims });
  if (outcome.kind === 'refused') {
    const isCertificate = outcome.reason.startsWith('certificate_') || outcome.reason === 'crl_expired';
    const says = isCertificate ? about(tls, outcome.reason) : lacking(config, user);
    const because = keyOf(outcome.reason) ?? ['authenticate'];
    return refused('authenticate', outcome.reason, `authenticate is ${mode}: ${says}`, because);
  }
  findings.identity = outcome.identity;
  const { claim, name } = outcome.identity;
  const rule = claim.kind === 'rule' ? claim.rule : null;
  const at = rule === null ? ['authenticate'] : ruleAt(config, rule);
  const says = claim.kind === 'refused' ? `the credentials are right, and ${unclaimed(claim.reason)}` : `it is ${name}`;
  return passed('authenticate', `authenticate is ${mode}: ${says}`, at);
}

function passwordOutcome(config: Config, user: string | null): PasswordOutcome {
  if (user === null || !takesPasswords(config.authenticate, config.users.size > 0)) return { kind: 'notMine' };
  return config.users.has(user) ? { kind: 'right', user } : { kind: 'refused', reason: 'credentials_wrong' };
}

function lacking(config: Config, user: string | null): string {
  if (user === null) {
    const isEither = config.authenticate === 'either';
    return isEither ? 'no user and password are sent, and no certificate is shown' : 'no user and password are sent';
  }
  return config.users.has(user) ? 'the password alone is not enough' : 'there is no such user';
}

/** What is wrong with a certificate; others than these are told as OpenSSL names them. */
const FAULTS: Partial<Record<DenyReason, string>> = {
  certificate_unknown_ca: 'is not of a CA in client_ca_file',
  certificate_expired: 'has expired',
  certificate_not_yet_valid: 'is not valid yet',
  certificate_revoked: 'is revoked',
  certificate_wrong_purpose: 'is not for clients (extended key usage clientAuth)',
  certificate_san_not_allowed: 'has no name in client_allowed_sans',
  crl_expired: 'cannot be judged: a list in client_crl_files has ended or is missing',
};

function about(tls: TlsFacts | null, reason: DenyReason): string {
  const certificate = tls?.certificate ?? null;
  if (certificate === null) return 'no client certificate is shown';
  return `the client certificate ${FAULTS[reason] ?? `cannot be verified: ${certificate.verifyError ?? reason}`}`;
}

/** The key that a certificate fails by; null: it is no single one. */
function keyOf(reason: DenyReason): DocumentPath | null {
  switch (reason) {
    case 'certificate_unknown_ca':
      return ['tls_server_config', 'client_ca_file'];
    case 'certificate_revoked':
    case 'crl_expired':
      return ['tls_server_config', 'client_crl_files'];
    case 'certificate_san_not_allowed':
      return ['tls_server_config', 'client_allowed_sans'];
    default:
      return null;
  }
}

function unclaimed(reason: DenyReason): string {
  return reason === 'identity_mismatch' ? 'belong to two identities' : 'match no identity';
}

function decideGrant(findings: Findings): Decision {
  const { asked, target, address, identity } = findings;
  const { config } = asked;
  if (identity === null) throw new Error('authorize ran before authenticate');
  const granted = grant({ upstreams: config.upstreams, target, identity, address });
  const { upstream, endpointClass } = granted;
  if (upstream === null)
    return refused('authorize', 'path_unknown', 'no upstream has a path_prefix for it', ['upstreams']);
  findings.upstream = upstream;
  findings.kindPath = granted.kindPath ?? target.path;
  const at = upstreamAt(config, upstream);
  const line = `${target.method} ${findings.kindPath}`;
  const rule = ruleOf(identity);
  if (granted.kind === 'granted') {
    const says = `${line} is ${classText(endpointClass)} of kind ${upstream.kind}, and ${identity.name} may ask for it`;
    const isByRule = endpointClass !== 'also_allow' && rule !== null && rule.paths !== null;
    const kindKey = endpointClass === 'also_allow' ? 'also_allow' : 'kind';
    const because = isByRule ? [...ruleAt(config, rule), 'paths'] : [...at, kindKey];
    return passed('authorize', says, because);
  }
  const { reason } = granted;
  switch (reason) {
    case 'path_unknown':
      return refused('authorize', reason, `kind ${upstream.kind} has no ${findings.kindPath}`, [...at, 'kind']);
    case 'method_not_allowed': {
      const allow = granted.details.allow?.join(', ') ?? '';
      return refused('authorize', reason, `${findings.kindPath} takes ${allow}, not ${target.method}`, [...at, 'kind']);
    }
    case 'identity_address': {
      const because = rule === null ? null : [...ruleAt(config, rule), 'allow_from'];
      return refused('authorize', reason, `${identity.name} may not come from ${address}`, because);
    }
    case 'identity_path': {
      const because = rule === null ? ['identities'] : [...ruleAt(config, rule), 'paths'];
      const says = `${identity.name} may not ask for ${target.path}, which is ${classText(endpointClass)}`;
      return refused('authorize', reason, says, because);
    }
    default:
      return refused('authorize', reason, `the credentials of ${identity.name} ${unclaimed(reason)}`, ['identities']);
  }
}

function classText(endpointClass: string | null): string {
  if (endpointClass === 'also_allow') return 'allowed by also_allow';
  return endpointClass === 'any' ? 'any path' : `@${endpointClass ?? ''}`;
}
