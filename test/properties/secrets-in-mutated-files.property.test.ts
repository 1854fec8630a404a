/**
 * Configuration files that hold a known secret, broken in the ways of editors, templates and hurried hands: whatever
 * comes of them, the secret is in nothing that `check`, `run` or a reload says, and in no warning of the process.
 */
import fc from '../support/property.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderProblems, tellProblems } from '../../src/config/explain.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createConfigFixture } from '../config/config-fixture.ts';
import type { ConfigFixture } from '../config/config-fixture.ts';

let fixture: ConfigFixture;
const warnings: string[] = [];
const remember = (warning: Error) => warnings.push(warning.message);

beforeAll(() => {
  fixture = createConfigFixture();
  process.on('warning', remember);
});

afterAll(() => {
  process.off('warning', remember);
  fixture.remove();
});

/** No five letters of these stand in a sentence, a key or a file name of the fixture. */
const SECRETS = [
  'zqxjvkwqzx',
  'Zq7Xj2Vk9Wz',
  'zqxjv kwqzx',
  'zq/xj@vk:wq',
  '$2y$10$zqxjvkwqzxZq7Xj2Vk9W',
  'zqxj#vkwqz',
  '"zqxjvkwqzx"',
];
const pieces = (secret: string) => Array.from({ length: secret.length - 4 }, (_, at) => secret.slice(at, at + 5));
/** What is no part of the secret itself: the prefix of a hash is shown nowhere either, but says nothing. */
const PIECES = SECRETS.flatMap(pieces).filter((piece) => /[zqxjvkw]{2}/i.test(piece));

const FILES: readonly ((secret: string) => string)[] = [
  (secret) => `tls_server_config:
  cert_file: server.crt
  key: |
    ${secret}
    ${secret}
  min_version: TLS12
listen_addresses: [":9095"]
`,
  (secret) => `# users
basic_auth_users:
  alice: ${secret}
  bob: '${secret}'
listen_addresses:
  - 127.0.0.1:9095
access_log: true
`,
  (secret) => `basic_auth_users: {alice: ${secret}, bob: "${secret}"}
allow: [10.0.0.0/8, 127.0.0.1]
`,
  (secret) => `htpasswd_file: htpasswd
upstreams:
  - url: http://alice:${secret}@127.0.0.1:9090
    kind: prometheus
  - url: self
    path_prefix: /promgate
identities:
  - name: prom
    paths: ['@scrape', /api/v1/query]
`,
  (secret) => `upstreams:
  - url: https://127.0.0.1:9090
    basic_auth:
      username: alice
      password: ${secret}
  - { url: self, path_prefix: /a, authorization: { credentials: ${secret} } }
drain_timeout: 5s
`,
  (secret) => `acme:
  domains: [gate.example.com]
  external_account_binding:
    key_id: abc
    hmac_key: ${secret}
  challenge: { type: dns-01, hook: hook }
limits:
  connections: 100
`,
  (secret) => `http_server_config:
  headers:
    Strict-Transport-Security: ${secret}
    X-Api-Token: ${secret}
plain_http: true
exempt:
  - paths: [/-/healthy]
    from:
      - 10.0.0.0/8
`,
  (secret) => `remote_write: ${secret}
global:
  secretish: ${secret}
  nested: [{a: ${secret}}, ${secret}]
authenticate: none
listen_addresses: ["127.0.0.1:9095"]
`,
];

type Mutation = (text: string, at: number, extra: number) => string;

const SPECIALS = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ': ',
  '? ',
  '- ',
  '&a ',
  '*a',
  '!x ',
  '"',
  "'",
  '|',
  '>',
  '#',
  ' #',
  '%',
  '@',
  '`',
  ',',
  '\t',
  ' ',
  '\n',
  '\n  ',
  '<<: ',
  '{{',
  '}}',
  '---\n',
  '=',
];

function lines(text: string, at: number, change: (all: string[], index: number) => void): string {
  const all = text.split('\n');
  change(all, at % all.length);
  return all.join('\n');
}

const MUTATIONS: readonly Mutation[] = [
  (text, at) => text.slice(0, at) + text.slice(at + 1),
  (text, at, extra) => text.slice(0, at) + (SPECIALS[extra % SPECIALS.length] ?? '') + text.slice(at),
  (text, at, extra) => text.slice(0, at) + (SPECIALS[extra % SPECIALS.length] ?? '') + text.slice(at + 1),
  (text, at) => text.slice(0, at) + 'abcxyz_-'.charAt(at % 8) + text.slice(at + 1),
  // A line too few, twice, in the wrong place, at the wrong depth, or run together with the next one.
  (text, at) => lines(text, at, (all, index) => all.splice(index, 1)),
  (text, at) => lines(text, at, (all, index) => all.splice(index, 0, all[index] ?? '')),
  (text, at, extra) => lines(text, at, (all, index) => all.splice(extra % all.length, 0, ...all.splice(index, 1))),
  (text, at, extra) =>
    lines(text, at, (all, index) => (all[index] = ' '.repeat(extra % 9) + (all[index] ?? '').trimStart())),
  (text, at) => lines(text, at, (all, index) => all.splice(index, 2, all.slice(index, index + 2).join(''))),
  (text, at) =>
    lines(text, at, (all, index) =>
      all.splice(
        index,
        2,
        all
          .slice(index, index + 2)
          .join(' ')
          .trimEnd(),
      ),
    ),
  // A typo in a key, a colon too few, an unrendered template, an explicit key.
  (text, at) => lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(/(\w)(\w)(\w*:)/, '$2$1$3'))),
  (text, at) => lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(':', ''))),
  (text, at) => lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(': ', ':'))),
  (text, at) => lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(/: (.+)/, ': {{ $1 }}'))),
  (text, at) =>
    lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(/^(\s*(?:- )?)(.+)/, '$1{{$2}}'))),
  (text, at) => lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(/^(\s*)(\S.*)/, '$1? {$2}'))),
  (text, at) => lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(/^(\s*)(\S.*)/, '$1? $2'))),
  (text, at) => lines(text, at, (all, index) => (all[index] = `#${all[index] ?? ''}`)),
  (text, at) => lines(text, at, (all, index) => (all[index] = `${all[index] ?? ''} # was: ${all[index] ?? ''}`)),
  (text, at) => lines(text, at, (all, index) => (all[index] = (all[index] ?? '').replace(/^(\s*)/, '$1- '))),
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => text.replace(/^( *)/gm, (spaces) => '\t'.repeat(spaces.length / 2)),
];

const mutation = fc.record({
  change: fc.constantFrom(...MUTATIONS),
  at: fc.nat(100_000),
  extra: fc.nat(100_000),
});

async function said(text: string): Promise<string> {
  const result = await loadConfig(fixture.write('promgate.yml', text), { generation: 1 });
  const told = tellProblems(result.problems, 'promgate.yml', result.text);
  // Warnings are emitted behind the current work.
  await new Promise((resolve) => setImmediate(resolve));
  const all = `${renderProblems(result.problems, 'promgate.yml', result.text)}\n${JSON.stringify(told)}\n${warnings.join('\n')}`;
  warnings.length = 0;
  return all;
}

describe('a configuration that holds a secret, broken in up to three places', () => {
  it('keeps it', async () => {
    const broken = fc.record({
      file: fc.constantFrom(...FILES),
      secret: fc.constantFrom(...SECRETS),
      mutations: fc.array(mutation, { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(broken, async ({ file, secret, mutations }) => {
        const text = mutations.reduce(
          (before, { change, at, extra }) => change(before, at % before.length || 0, extra),
          file(secret),
        );
        const output = await said(text);
        expect(
          PIECES.filter((piece) => output.includes(piece)),
          `${text}\n=====\n${output}`,
        ).toEqual([]);
      }),
      { numRuns: 500, seed: fc.readConfigureGlobal().seed ?? 20_261_201 },
    );
  }, 120_000);
});
