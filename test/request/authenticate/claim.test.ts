import { describe, expect, test } from 'vitest';
import type { CertificateMatcher, IdentityRule } from '../../../src/config/config.ts';
import { createClaims, identityOf } from '../../../src/request/authenticate/claim.ts';
import { authenticate } from '../../../src/request/authenticate/modes.ts';
import { holder } from './fixtures.ts';
import { identityOf as ruleOf } from '../../support/config-fixture.ts';

interface Parts {
  readonly users?: readonly string[];
  readonly certificates?: readonly CertificateMatcher[];
}

function rule(name: string, { users = [], certificates = [] }: Parts = {}): IdentityRule {
  return ruleOf({ name, passwordUsers: users, certificates });
}
const dns = (value: string): CertificateMatcher => ({ by: 'dns', value, wildcard: false });
const wildcard = (value: string): CertificateMatcher => ({ by: 'dns', value, wildcard: true });
const cn = (value: string): CertificateMatcher => ({ by: 'cn', value });
const byUser = (user: string) => ({ user, certificate: null });
const byCertificate = (...arguments_: Parameters<typeof holder>) => ({
  user: null,
  certificate: holder(...arguments_),
});

/** The name of the entry, or why there is none. */
function claimed(rules: readonly IdentityRule[], credentials: Parameters<ReturnType<typeof createClaims>>[0]): string {
  const claim = createClaims(rules)(credentials);
  if (claim.kind === 'open') return 'open';
  return claim.kind === 'rule' ? claim.rule.name : claim.reason;
}

describe('which entry claims a credential', () => {
  test('without the section everything is open', () => {
    expect(createClaims(null)(byUser('prom'))).toEqual({ kind: 'open' });
  });

  test('a user is claimed by the entry that names it, and by no other', () => {
    const rules = [rule('master', { users: ['prom', 'prom2'] }), rule('grafana', { users: ['graf'] })];
    expect(claimed(rules, byUser('prom2'))).toBe('master');
    expect(claimed(rules, byUser('graf'))).toBe('grafana');
    expect(claimed(rules, byUser('master'))).toBe('identity_unknown');
    expect(claimed(rules, byUser('PROM'))).toBe('identity_unknown');
  });

  test('an entry without credentials is about the user of its name, and about no certificate', () => {
    const rules = [rule('admin')];
    expect(claimed(rules, byUser('admin'))).toBe('admin');
    expect(claimed(rules, byCertificate({ dns: ['admin'] }, 'admin'))).toBe('identity_unknown');
  });

  test('an entry that names a certificate is not about the user of its name', () => {
    expect(claimed([rule('admin', { certificates: [dns('a.example.com')] })], byUser('admin'))).toBe(
      'identity_unknown',
    );
  });

  test('a section without entries claims nobody', () => {
    expect(claimed([], byUser('prom'))).toBe('identity_unknown');
  });

  test('names are compared by type', () => {
    const rules = [
      rule('dns', { certificates: [dns('x')] }),
      rule('email', { certificates: [{ by: 'email', value: 'x', wildcard: false }] }),
      rule('uri', { certificates: [{ by: 'uri', value: 'x', wildcard: false }] }),
      rule('ip', { certificates: [{ by: 'ip', value: 'x', wildcard: false }] }),
      rule('cn', { certificates: [cn('x')] }),
    ];
    for (const by of ['dns', 'email', 'uri', 'ip'] as const)
      expect(claimed(rules, byCertificate({ [by]: ['x'] }))).toBe(by);
    expect(claimed(rules, byCertificate({}, 'x'))).toBe('cn');
  });

  test('DNS names know no case, everything else does', () => {
    const rules = [rule('a', { certificates: [dns('Master.Example.com'), cn('Master')] })];
    expect(claimed(rules, byCertificate({ dns: ['mASTER.example.COM'] }))).toBe('a');
    expect(claimed(rules, byCertificate({}, 'master'))).toBe('identity_unknown');
  });

  test.each(['*.example.com', 'example.com'])('a wildcard written %s stands for exactly one label', (value) => {
    const rules = [rule('any', { certificates: [wildcard(value)] })];
    expect(claimed(rules, byCertificate({ dns: ['a.example.com'] }))).toBe('any');
    for (const name of ['example.com', 'a.b.example.com', '.example.com', 'aexample.com', 'a.example.com.']) {
      expect(claimed(rules, byCertificate({ dns: [name] }))).toBe('identity_unknown');
    }
  });

  test('a wildcard in a certificate is a name like any other', () => {
    expect(
      claimed([rule('a', { certificates: [dns('a.example.com')] })], byCertificate({ dns: ['*.example.com'] })),
    ).toBe('identity_unknown');
  });

  test('a wildcard never holds a common name', () => {
    expect(
      claimed([rule('any', { certificates: [wildcard('*.example.com')] })], byCertificate({}, 'a.example.com')),
    ).toBe('identity_unknown');
  });

  test('exact beats wildcard, wherever it stands', () => {
    const rules = [
      rule('any', { certificates: [wildcard('*.example.com')] }),
      rule('one', { certificates: [dns('a.example.com')] }),
    ];
    expect(claimed(rules, byCertificate({ dns: ['a.example.com'] }))).toBe('one');
    expect(claimed(rules, byCertificate({ dns: ['b.example.com', 'a.example.com'] }))).toBe('one');
    expect(claimed(rules.toReversed(), byCertificate({ dns: ['a.example.com'] }))).toBe('one');
  });

  test('a certificate that two entries claim belongs to neither', () => {
    const rules = [rule('a', { certificates: [dns('a.example.com')] }), rule('b', { certificates: [cn('b')] })];
    expect(claimed(rules, byCertificate({ dns: ['a.example.com'] }, 'b'))).toBe('identity_mismatch');
  });

  test('names out of the prototype of an object are names', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      expect(claimed([rule('a', { users: ['x'] })], byUser(name))).toBe('identity_unknown');
      expect(claimed([rule('a', { users: [name] })], byUser(name))).toBe('a');
    }
  });
});

describe('two credentials', () => {
  const rules = [
    rule('master', { users: ['prom'], certificates: [dns('master.example.com')] }),
    rule('grafana', { users: ['graf'], certificates: [dns('grafana.example.com')] }),
  ];
  const judge = (mode: 'both' | 'either' | 'password' | 'certificate', user: string, name: string) => {
    const outcome = authenticate({
      mode,
      certificate: { kind: 'verified', certificate: holder({ dns: [name] }) },
      password: { kind: 'right', user },
      claims: createClaims(rules),
    });
    return outcome.kind === 'identified' ? outcome.identity : null;
  };

  test.each(['both', 'either'] as const)('%s: of one identity', (mode) => {
    expect(judge(mode, 'prom', 'master.example.com')).toMatchObject({ name: 'master', label: 'master', user: 'prom' });
  });

  test.each(['both', 'either'] as const)('%s: of two identities', (mode) => {
    expect(judge(mode, 'prom', 'grafana.example.com')?.claim).toEqual({ kind: 'refused', reason: 'identity_mismatch' });
  });

  test.each(['both', 'either'] as const)('%s: one that no entry claims', (mode) => {
    const unknown = { kind: 'refused', reason: 'identity_unknown' };
    expect(judge(mode, 'prom', 'stranger.example.com')?.claim).toEqual(unknown);
    expect(judge(mode, 'stranger', 'master.example.com')?.claim).toEqual(unknown);
  });

  test('password and certificate mode count their own credential and record the other', () => {
    expect(judge('password', 'prom', 'grafana.example.com')).toMatchObject({
      name: 'master',
      certificate: { serial: '1001' },
    });
    expect(judge('certificate', 'prom', 'grafana.example.com')).toMatchObject({ name: 'grafana', user: 'prom' });
  });
});

describe('names and labels', () => {
  const refused = { kind: 'refused', reason: 'identity_unknown' } as const;

  test('of a credential that no entry claims are bounded in metrics', () => {
    expect(identityOf(byUser('prom'), refused)).toMatchObject({ name: 'password:prom', label: 'prom' });
    expect(identityOf(byCertificate({ dns: ['a.example.com'] }), refused)).toMatchObject({
      name: 'certificate:a.example.com',
      label: 'certificate',
    });
  });

  test('of an entry are its name', () => {
    const claim = { kind: 'rule', rule: rule('master') } as const;
    expect(identityOf(byUser('prom'), claim)).toMatchObject({ name: 'master', label: 'master', user: 'prom' });
  });
});

describe('an entry that pins a public key', () => {
  const spki = (value: string): CertificateMatcher => ({ by: 'spki', value });
  const pinned = (spkiHash: string, names: readonly string[] = ['a.example.com']) => ({
    user: null,
    certificate: { ...holder({ dns: names }), spkiHash },
  });
  const [KEY, OTHER] = ['ab'.repeat(32), 'cd'.repeat(32)];

  test('claims the holder of that key under any name, and no other holder of the name', () => {
    const rules = [rule('master', { certificates: [spki(KEY)] })];
    expect(claimed(rules, pinned(KEY))).toBe('master');
    expect(claimed(rules, pinned(KEY, ['renamed.example.com']))).toBe('master');
    expect(claimed(rules, pinned(OTHER))).toBe('identity_unknown');
  });

  test('is not taken for a name, nor a name for a pin', () => {
    const rules = [rule('master', { certificates: [spki(KEY)] })];
    expect(claimed(rules, pinned(OTHER, [KEY]))).toBe('identity_unknown');
    expect(claimed([rule('master', { certificates: [dns(KEY)] })], pinned(KEY))).toBe('identity_unknown');
  });

  test('beside an entry that claims the name makes the certificate ambiguous', () => {
    const rules = [rule('one', { certificates: [spki(KEY)] }), rule('two', { certificates: [dns('a.example.com')] })];
    expect(claimed(rules, pinned(KEY))).toBe('identity_mismatch');
  });
});
