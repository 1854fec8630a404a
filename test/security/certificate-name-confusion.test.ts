/**
 * The attacks: a certificate for CN=admin passes for the password user admin, and the reverse; a DNS name that spells an
 * IP address or an e-mail address passes for it; a name with a comma forges a second one in a printed list of names; a
 * certificate that nobody has verified identifies its holder.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CertificateMatcher, ClientAuthType, IdentityRule } from '../../src/config/config.ts';
import { createClaims } from '../../src/request/authenticate/claim.ts';
import {
  certificateOutcome,
  describeHolder,
  judgeCertificate,
} from '../../src/request/authenticate/client-certificate.ts';
import { authenticate } from '../../src/request/authenticate/modes.ts';
import { createAuthority, type Authority, type Issued } from '../support/certificates.ts';
import { handshake, trustOf } from '../request/authenticate/handshake.ts';
import { identityOf } from '../support/config-fixture.ts';

let root: Authority;
let server: Issued;
beforeAll(() => {
  root = createAuthority('Gate CA');
  server = root.issue({ name: 'localhost' });
});
afterAll(() => {
  root.remove();
});

function rule(
  name: string,
  passwordUsers: readonly string[],
  certificates: readonly CertificateMatcher[],
): IdentityRule {
  return identityOf({ name, passwordUsers, certificates });
}

const RULES = [
  rule('by name', [], []),
  rule('admin', ['admin'], []),
  rule('address', [], [{ by: 'ip', value: '192.0.2.1', wildcard: false }]),
  rule('mail', [], [{ by: 'email', value: 'admin@example.com', wildcard: false }]),
  rule('host', [], [{ by: 'dns', value: 'master.example.com', wildcard: false }]),
];

async function claimOfCertificate(client: Issued, type: ClientAuthType = 'RequireAndVerifyClientCert') {
  const trust = trustOf([root.cert], [], { type });
  const facts = await handshake(server, trust, client);
  const certificate = certificateOutcome(facts, trust, Date.now(), describeHolder);
  const outcome = authenticate({
    mode: 'either',
    certificate,
    password: { kind: 'notMine' },
    claims: createClaims(RULES),
  });
  if (outcome.kind === 'refused') return outcome.reason;
  const { claim } = outcome.identity;
  return claim.kind === 'rule' ? claim.rule.name : claim.kind === 'refused' ? claim.reason : claim.kind;
}

test('CN=admin is not the user admin, nor an entry of that name', async () => {
  for (const name of ['admin', 'by name']) {
    expect(await claimOfCertificate(root.issue({ name, purpose: 'client' }))).toBe('identity_unknown');
  }
});

test('a DNS name is a DNS name, whatever it spells', async () => {
  for (const text of ['192.0.2.1', 'admin@example.com']) {
    const client = root.issue({ name: 'x', sans: [`DNS:${text}`], purpose: 'client' });
    expect(await claimOfCertificate(client)).toBe('identity_unknown');
    const trust = trustOf([root.cert], [], { allowedSans: [text] });
    const facts = await handshake(server, trust, client);
    expect(judgeCertificate(facts, trust, Date.now())).toBe('certificate_san_not_allowed');
  }
});

test('names of their own type are found', async () => {
  const issue = (san: string) => root.issue({ name: 'x', sans: [san], purpose: 'client' });
  expect(await claimOfCertificate(issue('IP:192.0.2.1'))).toBe('address');
  expect(await claimOfCertificate(issue('email:admin@example.com'))).toBe('mail');
  expect(await claimOfCertificate(issue('DNS:master.example.com'))).toBe('host');
});

test('a common name that looks like a host is none', async () => {
  expect(await claimOfCertificate(root.issue({ name: 'master.example.com', purpose: 'client' }))).toBe(
    'identity_unknown',
  );
});

test('a URI that holds a comma and a DNS name is one URI', async () => {
  const uri = 'http://x/,DNS:master.example.com';
  const client = root.issue({ name: 'x', sans: [`@names\n[names]\nURI.1 = ${uri}`], purpose: 'client' });
  expect((await handshake(server, trustOf([root.cert]), client)).certificate?.sans).toMatchObject({
    dns: [],
    uri: [uri],
  });
  expect(await claimOfCertificate(client)).toBe('identity_unknown');
});

test.each(['RequestClientCert', 'RequireAnyClientCert'] as const)(
  '%s identifies nobody, verified or not',
  async (type) => {
    const client = root.issue({ name: 'x', sans: ['DNS:master.example.com'], purpose: 'client' });
    expect(await claimOfCertificate(client, type)).toBe('credentials_missing');
  },
);
