import { describe, expect, it } from 'vitest';
import type { IdentityRule } from '../../../src/config/config.ts';
import { createAddressSet, parseCidr } from '../../../src/formats/address-set.ts';
import { parsePathPattern } from '../../../src/formats/path-pattern.ts';
import { judgeIdentity } from '../../../src/request/authorize/identity-rules.ts';
import type { EndpointClass } from '../../../src/request/endpoints.ts';
import type { Claim, Identity } from '../../../src/request/identity.ts';
import { identityOf } from '../../support/config-fixture.ts';

function identity(claim: Claim): Identity {
  return { name: 'master', label: 'master', user: 'prom', certificate: null, claim };
}

function rule(changes: Partial<IdentityRule>): Identity {
  return identity({
    kind: 'rule',
    rule: identityOf(changes),
  });
}

function paths(texts: readonly string[], classes: readonly EndpointClass[]): NonNullable<IdentityRule['paths']> {
  const patterns = texts.map((text) => {
    const pattern = parsePathPattern(text);
    if (!pattern.ok) throw new Error(pattern.message);
    return pattern.value;
  });
  return { patterns, classes: new Set(classes) };
}

const federate = { address: '192.0.2.1', path: '/federate', endpointClass: 'scrape' } as const;
const secrets = { address: '192.0.2.1', path: '/api/v1/status/config', endpointClass: 'internals' } as const;

describe('judgeIdentity', () => {
  it('lets everybody do what the kind table has when there are no identities, except read internals', () => {
    expect(judgeIdentity(identity({ kind: 'open' }), federate)).toBeNull();
    expect(judgeIdentity(identity({ kind: 'open' }), secrets)).toBe('identity_path');
  });

  it('refuses a credential that no entry claims, and two credentials of two entries', () => {
    expect(judgeIdentity(identity({ kind: 'refused', reason: 'identity_unknown' }), federate)).toBe('identity_unknown');
    expect(judgeIdentity(identity({ kind: 'refused', reason: 'identity_mismatch' }), federate)).toBe(
      'identity_mismatch',
    );
  });

  it('narrows to classes and to paths', () => {
    const scraper = rule({ paths: paths(['/api/v1/query'], ['scrape']) });
    expect(judgeIdentity(scraper, federate)).toBeNull();
    expect(judgeIdentity(scraper, { ...federate, path: '/api/v1/query', endpointClass: 'query' })).toBeNull();
    expect(judgeIdentity(scraper, { ...federate, path: '/api/v1/query_range', endpointClass: 'query' })).toBe(
      'identity_path',
    );
  });

  it('shows internals only to whom they were named', () => {
    expect(judgeIdentity(rule({ paths: null }), secrets)).toBe('identity_path');
    expect(judgeIdentity(rule({ paths: paths(['/api/*'], ['query']) }), secrets)).toBe('identity_path');
    expect(judgeIdentity(rule({ paths: paths(['/api/v1/status/config'], []) }), secrets)).toBeNull();
    expect(judgeIdentity(rule({ paths: paths([], ['internals']) }), secrets)).toBeNull();
  });

  it('holds an identity to its addresses', () => {
    const cidr = parseCidr('192.0.2.0/24');
    if (!cidr.ok) throw new Error(cidr.message);
    const near = rule({ allowFrom: createAddressSet([cidr.value]) });
    expect(judgeIdentity(near, federate)).toBeNull();
    expect(judgeIdentity(near, { ...federate, address: '198.51.100.1' })).toBe('identity_address');
  });
});
