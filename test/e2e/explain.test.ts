/** `promgate explain` against the running gate: what it says is what happens, and it names the key that decides. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DENY_REASONS } from '../../src/request/deny-reasons.ts';
import type { DenyReason } from '../../src/request/deny-reasons.ts';
import { promgate } from '../support/gate.ts';
import { htpasswdLine, PASSWORD, startScene, USER } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

let scene: Scene;
let stranger: { readonly certFile: string; readonly keyFile: string };

beforeAll(async () => {
  scene = await startScene({
    files: {
      '.htpasswd':
        (await htpasswdLine(USER, PASSWORD)) +
        (await htpasswdLine('eve', PASSWORD)) +
        (await htpasswdLine('team', PASSWORD)) +
        (await htpasswdLine('capped', PASSWORD)),
    },
    yaml: `
authenticate: either
allow: [127.0.0.0/8]
deny: [127.0.0.66]
trusted_proxies: [127.0.0.9]
exempt:
  - {paths: [/metrics], from: [127.0.0.7]}
upstreams:
  - {url: self, path_prefix: /gate, strip_prefix: true}
  - {url: self, kind: exporter}
identities:
  - {name: master, password_users: [${USER}], certificates: [{dns: central}], allow_from: [127.0.0.1], paths: [/metrics, /gate/metrics]}
  - name: team
    labels: {identity: team}
    deny_match: ['{__name__!=""}']
  - {name: capped, caps: {series: 100000, bytes: 10MB, duration: 9s, concurrent_scrapes: 2}}
  - {name: other, certificates: [{dns: nobody.example.com}]}
`,
  });
  stranger = scene.authority.issue({ name: 'stranger', sans: ['DNS:stranger'], purpose: 'client' });
});
afterAll(async () => {
  await scene.stop();
});

interface Case {
  readonly target: string;
  readonly method?: string;
  readonly from?: string;
  readonly forwardedFor?: string;
  readonly user?: string;
  readonly certificate?: 'central' | 'stranger';
  readonly reason: DenyReason | null;
  /** Part of the line that explain shows as the one that decided. */
  readonly because: string | null;
  /** Part of what the last step says. */
  readonly says?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'a password that may': { target: '/metrics', user: USER, reason: null, because: 'url: self' },
  'a certificate that may': {
    target: '/gate/metrics',
    certificate: 'central',
    reason: null,
    because: 'path_prefix: /gate',
  },
  'no credentials': { target: '/metrics', reason: 'credentials_missing', because: 'authenticate: either' },
  'an unknown user': {
    target: '/metrics',
    user: 'mallory',
    reason: 'credentials_wrong',
    because: 'authenticate: either',
  },
  'a user without an identity': { target: '/metrics', user: 'eve', reason: 'identity_unknown', because: 'identities:' },
  'a certificate without an identity': {
    target: '/metrics',
    certificate: 'stranger',
    reason: 'identity_unknown',
    because: 'identities:',
  },
  'a path that the kind does not have': {
    target: '/api/v1/query',
    user: USER,
    reason: 'path_unknown',
    because: 'kind: exporter',
  },
  'a wrong method': {
    target: '/metrics',
    method: 'POST',
    user: USER,
    reason: 'method_not_allowed',
    because: 'kind: exporter',
  },
  'a path that the identity does not have': {
    target: '/',
    user: USER,
    reason: 'identity_path',
    because: 'paths: [/metrics',
  },
  'an address that the identity does not have': {
    target: '/metrics',
    user: USER,
    from: '127.0.0.2',
    reason: 'identity_address',
    because: 'allow_from: [127.0.0.1]',
  },
  'a denied address': {
    target: '/metrics',
    user: USER,
    from: '127.0.0.66',
    reason: 'address_denied',
    because: 'deny: [127.0.0.66]',
  },
  'an exempt path': { target: '/metrics', from: '127.0.0.7', reason: null, because: 'url: self' },
  'a client behind a proxy': {
    target: '/metrics',
    user: USER,
    from: '127.0.0.9',
    forwardedFor: '127.0.0.1',
    reason: null,
    because: 'url: self',
  },
  'a denied client behind a proxy': {
    target: '/metrics',
    user: USER,
    from: '127.0.0.9',
    forwardedFor: '10.1.2.3',
    reason: 'address_denied',
    because: 'allow: [127.0.0.0/8]',
  },
  'a restricted identity': {
    target: '/federate?match[]=up',
    user: 'team',
    reason: null,
    because: 'url: self',
    says: 'match%5B%5D=up%7Bidentity%3D%22team%22%7D',
  },
  'a path that cannot be narrowed': {
    target: '/probe',
    user: 'team',
    reason: 'restricted_path',
    because: 'labels: {identity',
  },
  'a selector that is no selector': {
    target: '/federate?match[]={',
    user: 'team',
    reason: 'bad_query',
    because: 'labels: {identity',
  },
  'a selector that is too wide': {
    target: '/federate?match[]={__name__!=""}',
    user: 'team',
    reason: 'selector_denied',
    because: 'deny_match',
  },
  'an identity with caps': { target: '/metrics', user: 'capped', reason: null, because: 'url: self' },
  'a target that is not in normal form': { target: '/a/../metrics', user: USER, reason: 'bad_target', because: null },
};

function askGate({ target, method = 'GET', from = '127.0.0.1', forwardedFor, user, certificate }: Case) {
  const files = certificate === 'central' ? scene.client : stranger;
  return scene.askAsStranger(
    target,
    '--path-as-is',
    '--interface',
    from,
    ...(method === 'GET' ? [] : ['-X', method]),
    ...(forwardedFor === undefined ? [] : ['-H', `X-Forwarded-For: ${forwardedFor}`]),
    ...(user === undefined ? [] : ['-u', `${user}:${PASSWORD}`]),
    ...(certificate === undefined ? [] : ['--cert', files.certFile, '--key', files.keyFile]),
  );
}

function explain(
  { target, method = 'GET', from = '127.0.0.1', forwardedFor, user, certificate }: Case,
  ...argv: string[]
) {
  const files = certificate === 'central' ? scene.client : stranger;
  return promgate([
    'explain',
    `--config.file=${scene.gate.configFile}`,
    ...(forwardedFor === undefined ? [`--from=${from}`] : [`--from=${forwardedFor}`, `--via=${from}`]),
    ...(user === undefined ? [] : [`--user=${user}`]),
    ...(certificate === undefined ? [] : [`--certificate=${files.certFile}`]),
    ...argv,
    method,
    target,
  ]);
}

describe('what explain says is what the gate does', () => {
  test.each(Object.entries(CASES))('%s', async (_name, one) => {
    const { reason, because } = one;
    const [answer, told] = await Promise.all([askGate(one), explain(one)]);
    // A denied peer's socket is closed before TLS.
    const isClosed = reason === 'address_denied' && one.forwardedFor === undefined;
    const status = reason === null ? 200 : isClosed ? 0 : DENY_REASONS[reason].status;
    expect(answer.status).toBe(status);
    expect(told.code).toBe(reason === null ? 0 : 1);
    const lines = told.stdout.trimEnd().split('\n');
    expect(lines.at(-1)).toContain(reason === null ? 'forwarded' : `reason ${reason}:`);
    if (one.says !== undefined) expect(lines.at(-3)).toContain(one.says);
    if (because !== null) expect(lines.at(-2)).toContain(because);
    expect(lines.filter((line) => line.includes('REFUSES'))).toHaveLength(reason === null ? 0 : 1);
  });
});

test('caps are told with the key that sets them, and nothing of them where there is nothing to count', async () => {
  const one = CASES['an identity with caps']!;
  const lines = (await explain(one)).stdout.split('\n');
  const step = lines.findIndex((line) => line.includes('at most 100000 series, 10485760 bytes, 9 s, 2 at once'));
  expect(lines[step]).toContain('only the answer tells');
  expect(lines[step + 1]).toContain('caps: {series: 100000');
  const decisions = JSON.parse((await explain({ ...one, target: '/' }, '--output=json')).stdout) as { step: string }[];
  expect(decisions.map(({ step: name }) => name)).not.toContain('caps');
});

test('the decisions are there as JSON, each with its place', async () => {
  const one = CASES['a path that the identity does not have']!;
  const { stdout } = await explain(one, '--output=json');
  const decisions = JSON.parse(stdout) as { step: string; reason: string | null; place: string | null }[];
  expect(decisions.map(({ step }) => step)).toEqual(['connect', 'target', 'authenticate', 'authorize']);
  expect(decisions.at(-1)).toMatchObject({ reason: 'identity_path' });
  expect(decisions.at(-1)?.place).toMatch(/promgate\.yml:\d+:\d+$/);
});

test('wrong usage and a broken configuration are errors with a way out', async () => {
  const one = CASES['a password that may']!;
  expect(await explain({ ...one, from: 'localhost' })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is not an IP address') as unknown,
  });
  const file = join(scene.authority.directory, 'broken.yml');
  await writeFile(file, 'upstream: []\n');
  const broken = await promgate(['explain', `--config.file=${file}`, '--from=127.0.0.1', 'GET', '/']);
  expect(broken.code).toBe(1);
  expect(broken.stderr).toContain('did you mean "upstreams"?');
});
