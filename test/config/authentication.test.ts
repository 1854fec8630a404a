/** The table of the contract, row by row: users × client_auth_type × authenticate → what runs, or why it does not. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { authenticationRule, deriveAuthentication } from '../../src/config/rules/authentication.ts';
import type { Raw } from '../../src/config/schema.ts';

const TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;

interface Written {
  readonly users?: boolean;
  readonly type?: (typeof TYPES)[number];
  readonly ca?: boolean;
  readonly authenticate?: string;
}

async function rawOf({ users = false, type, ca = false, authenticate }: Written): Promise<Raw> {
  const lines = ['tls_server_config:', '  cert_file: a', '  key_file: b'];
  if (type !== undefined) lines.push(`  client_auth_type: ${type}`);
  if (ca) lines.push('  client_ca_file: ca');
  if (users) lines.push('htpasswd_file: htpasswd');
  if (authenticate !== undefined) lines.push(`authenticate: ${authenticate}`);
  const result = await parseConfig(lines.join('\n'));
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.raw;
}

async function problemsOf(written: Written): Promise<string[]> {
  const raw = await rawOf(written);
  const input = {
    raw,
    authentication: deriveAuthentication(raw),
    listen: [],
    listenFromFile: true,
    users: null,
    pairs: null,
    nodeMajor: 24,
    ownAddresses: new Set<string>(),
  };
  return authenticationRule(input).map(
    ({ severity, path, at }) => `${severity} ${(path ?? []).join('.')} ${at ?? 'value'}`,
  );
}

const AT_TYPE = 'error tls_server_config.client_auth_type value';
const AT_AUTHENTICATE = 'error authenticate value';
const verifies = (type: string) => type.includes('Verif');

describe('authenticate, when it is not written', () => {
  it.each(TYPES)('is derived as web.yml means %s', async (type) => {
    const strict = type === 'RequireAndVerifyClientCert';
    const ca = verifies(type);
    expect(deriveAuthentication(await rawOf({ type, ca }))).toMatchObject({
      authenticate: strict ? 'certificate' : 'none',
      clientAuthType: type,
    });
    expect(deriveAuthentication(await rawOf({ type, ca, users: true }))).toMatchObject({
      authenticate: strict ? 'both' : 'password',
      clientAuthType: type,
    });
    expect(await problemsOf({ type, ca })).toEqual([]);
    expect(await problemsOf({ type, ca, users: true })).toEqual([]);
  });

  it('is none without users and without client_auth_type', async () => {
    expect(deriveAuthentication(await rawOf({}))).toMatchObject({
      authenticate: 'none',
      clientAuthType: 'NoClientCert',
    });
  });

  it('stays password when the htpasswd file is named and basic_auth_users is not', async () => {
    expect(deriveAuthentication(await rawOf({ users: true })).authenticate).toBe('password');
  });
});

describe('authenticate, when it is written', () => {
  it.each([
    ['password', 'NoClientCert'],
    ['none', 'NoClientCert'],
    ['either', 'VerifyClientCertIfGiven'],
    ['certificate', 'RequireAndVerifyClientCert'],
    ['both', 'RequireAndVerifyClientCert'],
  ])('%s implies %s', async (authenticate, clientAuthType) => {
    expect(deriveAuthentication(await rawOf({ authenticate, users: true }))).toMatchObject({
      authenticate,
      clientAuthType,
    });
  });

  it.each(TYPES)('contradictions with %s are problems at its key', async (type) => {
    const ca = verifies(type);
    const at = (authenticate: string, users: boolean) => problemsOf({ type, ca, authenticate, users });
    expect(await at('either', true)).toEqual(type === 'VerifyClientCertIfGiven' ? [] : [AT_TYPE]);
    expect(await at('both', true)).toEqual(type === 'RequireAndVerifyClientCert' ? [] : [AT_TYPE]);
    expect(await at('certificate', false)).toEqual(type === 'RequireAndVerifyClientCert' ? [] : [AT_TYPE]);
    expect(await at('none', false)).toEqual(type === 'RequireAndVerifyClientCert' ? [AT_TYPE] : []);
    expect(await at('password', true)).toEqual([]);
  });

  it.each(['password', 'either', 'both'])('%s without users is a problem', async (authenticate) => {
    expect(await problemsOf({ authenticate, ca: authenticate !== 'password' })).toEqual([AT_AUTHENTICATE]);
  });

  it('none with users is a problem', async () => {
    expect(await problemsOf({ authenticate: 'none', users: true })).toEqual([AT_AUTHENTICATE]);
  });

  it.each(['either', 'both', 'certificate'])('%s without a client CA is a problem', async (authenticate) => {
    expect(await problemsOf({ authenticate, users: authenticate !== 'certificate' })).toEqual([AT_AUTHENTICATE]);
  });

  it('certificate with users warns that no password is accepted', async () => {
    expect(await problemsOf({ authenticate: 'certificate', ca: true, users: true })).toEqual([
      'warning authenticate value',
    ]);
  });
});

describe('client certificates', () => {
  it.each(['VerifyClientCertIfGiven', 'RequireAndVerifyClientCert'] as const)(
    '%s without a client CA is a problem',
    async (type) => {
      expect(await problemsOf({ type })).toEqual([AT_TYPE]);
    },
  );

  it('a client CA that nothing is verified against is a problem', async () => {
    expect(await problemsOf({ ca: true })).toEqual(['error tls_server_config.client_ca_file key']);
  });
});
