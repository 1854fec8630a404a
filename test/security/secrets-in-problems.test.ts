/**
 * The attack: a reader of a terminal, a CI log or a reload report finds a private key or a password in it, because a
 * problem of the configuration is printed with its line, and the secret stands there in a syntax that nobody thought of:
 * behind an alias, a tag, an anchor or a comment, pasted where the name of a file belongs, in a header, under a key that
 * is misspelt, in a URL, or in a template that was never rendered, which the YAML package repeats on stderr by itself.
 */
import fc from '../support/property.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderProblems, tellProblems } from '../../src/config/explain.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createConfigFixture } from '../config/config-fixture.ts';
import type { ConfigFixture } from '../config/config-fixture.ts';

let fixture: ConfigFixture;

beforeAll(() => {
  fixture = createConfigFixture();
});

afterAll(() => {
  fixture.remove();
});

/** What `check` and a reload say of a text, with what Node itself says on stderr. */
async function said(text: string): Promise<string> {
  const warnings: string[] = [];
  const remember = ({ message }: Error) => warnings.push(message);
  process.on('warning', remember);
  const result = await loadConfig(fixture.write('promgate.yml', text), { generation: 1 });
  const told = tellProblems(result.problems, 'promgate.yml', result.text);
  const rendered = renderProblems(result.problems, 'promgate.yml', result.text);
  // Warnings of the process are emitted behind the current work.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', remember);
  return [rendered, JSON.stringify(told), ...warnings].join('\n');
}

const UPSTREAM = 'upstreams:\n  - url: self\n    ';
const USERS = 'basic_auth_users:\n  alice: ';

describe('what is printed of a configuration', () => {
  it.each([
    [
      'a private key for a file name',
      'tls_server_config:\n  cert_file: server.crt\n  key_file: |\n    -----BEGIN X-----\n    HUNTER2\n',
    ],
    [
      'a private key for a file name, on one line',
      'tls_server_config: {cert_file: a, key_file: "-----BEGIN X-----\\nHUNTER2"}\n',
    ],
    ['an alias for a hash', `${USERS}*HUNTER2\n`],
    ['an anchor before a hash', `${USERS}&HUNTER2 x\n`],
    ['a tag before a hash', `${USERS}!HUNTER2 x\n`],
    ['a global tag before a hash', `${USERS}!!HUNTER2 x\n`],
    ['a comment for a hash', `${USERS}#HUNTER2\n`],
    ['a comment behind a hash', `${USERS}x # HUNTER2\n`],
    ['an anchor before all users', 'basic_auth_users: &HUNTER2\n  alice: x\n'],
    ['a user and password without a space', 'basic_auth_users: {alice:HUNTER2}\n'],
    ['a user and password without a space, in a block', 'basic_auth_users:\n  alice:HUNTER2\n'],
    ['an authorization in a word', `${UPSTREAM}authorization: HUNTER2\n`],
    ['an authorization as a key', `${UPSTREAM}authorization: {HUNTER2}\n`],
    ['a type with its token', `${UPSTREAM}authorization: {type: Bearer HUNTER2, credentials_file: token}\n`],
    ['user and password in a word', `${UPSTREAM}basic_auth: a:HUNTER2\n`],
    ['user and password without a space', `${UPSTREAM}basic_auth: {a:HUNTER2}\n`],
    ['a password for a user name', `${UPSTREAM}basic_auth: {username: "a:HUNTER2", password_file: password}\n`],
    ['a header that cannot be set', 'http_server_config:\n  headers:\n    Authorization: Bearer HUNTER2\n'],
    ['a header that can', 'http_server_config: {headers: {X-Frame-Options: HUNTER2}}\n'],
    ['headers that are a list', 'http_server_config:\n  headers: [HUNTER2]\n'],
    ['a key without a space', 'tls_server_config: {cert_file: server.crt, key:HUNTER2}\n'],
    ['a key in another document', 'access_log: true\n--- {password: HUNTER2}\n'],
    ['a key of a secret that is an alias', 'x: &k password\n*k : HUNTER2\n'],
    ['a misspelt section', 'basic_auth_user: {alice: HUNTER2}\n'],
    ['a text of several lines', 'htpasswd_file: "alice:\\nHUNTER2"\n'],
    ['a template that was never rendered', 'basic_auth_users: {{alice: HUNTER2}}\n'],
    ['a template for a value', 'tls_server_config: {cert_file: server.crt, key_file: {{ HUNTER2 }}}\n'],
    ['a map for a key', '? {password: HUNTER2}\n: x\n'],
    ['a list for a key', '[HUNTER2]: x\n'],
    ['a map for a key, by an alias', 'x: &a {y: HUNTER2}\n*a : 1\n'],
    ['a misspelt key', 'tls_server_config: {cert_file: server.crt, kye: HUNTER2}\n'],
    ['a key of another program', 'ssl_client_auth_sekret: HUNTER2\n'],
    ['what is below an unknown key', 'remote:\n  a:\n    - {b: HUNTER2}\n'],
    ['a key without a colon', '{HUNTER2}\n'],
    ['a password with a slash in a URL', 'upstreams: [{url: "http://alice:a/HUNTER2@127.0.0.1:9090"}]\n'],
    ['a password with an @ in a URL', 'upstreams: [{url: "http://alice:HUNTER2@b@127.0.0.1:9090"}]\n'],
    ['a password with a space in a URL', 'upstreams: [{url: "http://alice:HUNTER2 b@127.0.0.1:9090"}]\n'],
    ['a URL without its scheme', 'upstreams: [{url: "alice:HUNTER2@127.0.0.1:9090"}]\n'],
    ['a URL with one slash', 'upstreams: [{url: "http:/alice:HUNTER2@127.0.0.1:9090"}]\n'],
    ['a user alone in a URL', 'upstreams: [{url: "http://HUNTER2@127.0.0.1:9090"}]\n'],
    ['credentials in the URL of a CA', 'acme: {directory_url: "alice:HUNTER2@ca.example.com"}\n'],
    ['credentials among addresses', 'allow: ["alice:HUNTER2@10.0.0.1"]\n'],
    ['a secret behind a line too few', 'tls_server_config:\n  cert_file: server.crt\n    HUNTER2\n'],
    ['a secret in the next line of a list', 'allow: [10.0.0.0/8,\n  x y HUNTER2]\n'],
    ['an alias of a secret elsewhere', 'password: &x HUNTER2\nauthenticate: *x\n'],
    ['a secret in a comment', 'drain_timeout: x # it was alice, HUNTER2\n'],
    ['a secret in a list that is not one', 'password: [HUNTER2\nallow: []\n'],
  ])('has not %s', async (_, text) => {
    const output = await said(text);
    expect(output).toMatch(/^promgate\.yml:\d+:\d+: /);
    expect(output).not.toContain('HUNTER2');
  });

  it('still says where and why', async () => {
    expect(await said('tls_server_config:\n  cert_file: server.crt\n  key_file: |\n    -----BEGIN X-----\n')).toContain(
      'promgate.yml:3:13: error: this is the text of a key or certificate, not the name of a file',
    );
    expect(await said('http_server_config: {headers: {Server: x}}\n')).toContain('unknown key "Server" in');
    expect(await said(`${USERS}x\n  bob: y\n`)).toContain('  bob: ********');
  });
});

/** `prefix` leads to a place where a value may stand; `indent` is that of what belongs to it. */
const PLACES = [
  { prefix: 'tls_server_config:\n  cert_file: server.crt\n  key:', indent: '    ' },
  { prefix: 'tls_server_config: {cert_file: server.crt, key:', indent: '   ', suffix: ', kye: 1}' },
  { prefix: 'basic_auth_users:', indent: '  ' },
  { prefix: 'basic_auth_users:\n  alice:', indent: '    ', suffix: '\n  alice: x' },
  { prefix: 'basic_auth_users: {alice:', indent: '  ', suffix: ', bob: }' },
  { prefix: 'basic_auth_users:\n  ? alice\n  :', indent: '    ' },
  { prefix: 'upstreams:\n  - url: self\n    authorization:', indent: '      ' },
  { prefix: 'upstreams:\n  - url: self\n    basic_auth:', indent: '      ', suffix: '\n    kind: x' },
  { prefix: 'upstreams: [{url: self, basic_auth: {username: u, password:', indent: '   ', suffix: '}}]' },
  { prefix: 'http_server_config:\n  headers:\n    X-Unknown:', indent: '      ' },
  { prefix: 'http_server_config: {headers: {X-Unknown:', indent: '   ', suffix: '}}' },
  { prefix: '"pass\\x77ord":', indent: '  ' },
  { prefix: 'api_token:', indent: '  ' },
];

const SYNTAXES: readonly ((secret: string, indent: string) => string)[] = [
  (secret) => secret,
  (secret) => `"${secret}"`,
  (secret) => `'${secret}'`,
  (secret) => `"${secret}`,
  (secret) => `'x\n${secret}`,
  (secret) => `*${secret}`,
  (secret) => `&${secret} x`,
  (secret) => `&x ${secret}`,
  (secret) => `!${secret} x`,
  (secret) => `!!${secret} x`,
  (secret) => `!<${secret}> x`,
  (secret) => `#${secret}`,
  (secret) => `x # ${secret}`,
  (secret) => `[${secret}, x]`,
  (secret) => `[x, ${secret}`,
  (secret) => `{${secret}`,
  (secret) => `{x: ${secret}}`,
  (secret) => `{x: {y: &a ${secret}}}`,
  (secret) => `@${secret}`,
  (secret) => `x: ${secret}`,
  (secret) => `%${secret}`,
  (secret) => `\`${secret}`,
  (secret) => `&a &${secret} x`,
  (secret, indent) => `|\n${indent}${secret}`,
  (secret, indent) => `>-\n${indent}x\n${indent}${secret}`,
  (secret, indent) => `| # ${secret}\n${indent}x`,
  (secret, indent) => `\n${indent}${secret}`,
  (secret, indent) => `x\n${indent}${secret}: : y`,
  (secret, indent) => `\n${indent}- ${secret}`,
  (secret, indent) => `\n${indent}x: ${secret}\n${indent}x: ${secret}`,
  (secret, indent) => `\n${indent}? x\n${indent}: ${secret}`,
  (secret, indent) => `\n${indent}# ${secret}\n${indent}x: y`,
  (secret, indent) => `\n${indent}x: *${secret}`,
  (secret, indent) => `\n${indent}<<: *${secret}`,
  (secret, indent) => `\n\t${indent}${secret}`,
];

/** Faults elsewhere, so that something is printed whatever becomes of the secret. */
const ENDS = ['', '\nacess_log: true', '\nallow: [', '\n  x', '\n: :', '\n---\nx: 1', '\nx: *y'];

describe('a secret of any letters, in any syntax below a secret key', () => {
  it('is in no problem', async () => {
    const secrets = fc.stringMatching(/^[A-Za-z0-9]{0,4}Q[0-9]{6}[A-Za-z0-9+/=-]{0,40}$/);
    const texts = fc.tuple(secrets, fc.constantFrom(...PLACES), fc.constantFrom(...SYNTAXES), fc.constantFrom(...ENDS));
    await fc.assert(
      fc.asyncProperty(texts, async ([secret, { prefix, indent, suffix = '' }, syntax, end]) => {
        const output = await said(`${prefix} ${syntax(secret, indent)}${suffix}${end}\n`);
        expect(output).not.toContain(secret);
        expect(output).not.toContain(/Q\d{6}/.exec(secret)?.[0]);
      }),
      { numRuns: 1500 },
    );
  });
});
