/** What explain prints never holds a secret, whatever the text around it looks like. */
import { describe, expect, it } from 'vitest';
import { renderProblems } from '../../src/config/explain.ts';
import { parseConfig } from '../../src/config/parse.ts';

async function said(text: string): Promise<string> {
  return renderProblems((await parseConfig(text)).problems, 'promgate.yml', text);
}

describe('explain', () => {
  it.each([
    ['a password for a hash', 'basic_auth_users:\n  alice: hunter2\n'],
    ['users in a map on one line', 'basic_auth_users: {alice: hunter2, bob: [hunter2]}\n'],
    ['users in text that is not YAML', 'basic_auth_users:\n  alice: hunter2\n bob: "hunter2\n'],
    ['users after a tab', 'basic_auth_users:\n\talice: hunter2\n'],
    ['users of a section in quotes', '"basic_auth_users":\n  alice: hunter2\n  b: [\n'],
    ['a user twice', 'basic_auth_users:\n  alice: hunter2\n  alice: hunter2\n'],
    ['a key of the file for a password', 'password: hunter2\n'],
    ['a password where a file belongs', 'upstreams:\n  - {url: self, basic_auth: {username: u, password: hunter2}}\n'],
    ['a token where a file belongs', 'upstreams:\n  - authorization: {credentials: hunter2}\n    url: self\n'],
    ['credentials in a URL', 'upstreams:\n  - url: http://alice:hunter2@127.0.0.1:9090\n'],
    ['credentials in a URL under another key', 'admin_address: http://alice:hunter2@127.0.0.1\n'],
    ['a hash under another key', 'drain_timeout: $apr1$hunter2$hunter2\n'],
    ['a comment', 'acess_log: true # password: hunter2\n'],
    ['a secret that opens a quote', 'password: "hunter2\nx: y\n'],
    ['an inline key', 'tls_server_config:\n  key: {a: hunter2}\n'],
    ['what an alias makes a secret', 'a: &x hunter2\nbasic_auth_users: {alice: *x}\n'],
    ['what an alias makes a secret, although another one is wrong', 'a: &x hunter2\nkey: *x\nb: *y\n'],
    [
      'a private key in text that is not YAML',
      'tls_server_config:\n  key: |\n    -----BEGIN PRIVATE KEY-----\n  hunter2\n    -----END PRIVATE KEY-----\n',
    ],
  ])('does not repeat %s', async (_, text) => {
    const output = await said(text);
    expect(output).toMatch(/^promgate\.yml:/);
    expect(output).not.toContain('hunter2');
  });

  it('does not show the length of a secret', async () => {
    const short = await said('password: a\n');
    expect(await said('password: aaaaaaaaaaaaaaaaaaaaaaaa\n')).toBe(short);
  });

  it('shows paths, names of constants and host names as they are', async () => {
    const line = 'cert_file: /etc/letsencrypt/live/prometheus-01.example.com/fullchain.pem';
    expect(await said(`tls_server_config: {${line}, kye: 1}\n`)).toContain(line);
    const suite = 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA25';
    expect(await said(`tls_server_config: {cipher_suites: [${suite}]}\n`)).toContain(`[${suite}]`);
  });

  it('puts nothing on the terminal that it would act on', async () => {
    const output = await said('acess_log: "\\e[2J" # \u001b[2J \u202e \u0007\n"\u001b]0;x": 1\n');
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(output).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it('cuts a long line around its caret', async () => {
    const output = await said(`allow: [${'10.0.0.0/8, '.repeat(100)}10.1.0.0/8, ${'10.0.0.0/8, '.repeat(100)}]\n`);
    const [, source = '', caret = ''] = output.split('\n');
    expect(source.length).toBeLessThan(140);
    expect(source.slice(caret.indexOf('^'), caret.lastIndexOf('^') + 1)).toBe('10.1.0.0/8');
  });

  it('says the same problem once', async () => {
    const { problems } = await parseConfig('acess_log: true\n');
    const twice = [...problems, ...(await parseConfig('acess_log: true\n')).problems];
    expect(twice).toHaveLength(2);
    expect(renderProblems(twice, 'promgate.yml', 'acess_log: true\n').match(/unknown key/g)).toHaveLength(1);
  });

  it('counts what nobody would read', async () => {
    const output = await said(`allow: [${'x!, '.repeat(1000)}]\n`);
    expect(output.split('\n').at(-1)).toBe('promgate.yml: error: and 800 more problems');
  });

  it('points the caret at masked values, and behind them', async () => {
    expect(await said('tls_server_config: {key: hunter2, kye: x}\n')).toBe(
      [
        'promgate.yml:1:35: error: unknown key "kye" in tls_server_config',
        '    1 | tls_server_config: {key: ********, kye: ********}',
        '      |                                    ^^^',
        '   hint: did you mean "key"?',
      ].join('\n'),
    );
  });
});
