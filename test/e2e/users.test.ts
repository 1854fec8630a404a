/** The built gate in front of itself: what caps do to a scrape, and what `promgate users` says of it afterwards. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/poll.ts';
import { htpasswdLine, PASSWORD, startScene, USER } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const YAML = `
authenticate: either
access_log: true
upstreams:
  - url: self
identities:
  - name: master
    password_users: [prom]
    caps: {series: 100000, bytes: 10MB, duration: 10s, concurrent_scrapes: 2}
  - name: small
    certificates: [{dns: central}]
    caps: {series: 5}
  - name: idle
`;

interface Listed {
  readonly identity: string;
  readonly user: string | null;
  readonly certificate: { readonly serial: string; readonly name: string } | null;
  readonly [key: string]: unknown;
}

let scene: Scene;

beforeAll(async () => {
  const htpasswd = (await htpasswdLine(USER, PASSWORD)) + (await htpasswdLine('idle', PASSWORD));
  scene = await startScene({ yaml: YAML, files: { '.htpasswd': htpasswd } });
});

afterAll(() => scene.stop());

const metric = async (pattern: RegExp): Promise<string> => {
  const page = await scene.ask('/metrics');
  return page.body.split('\n').find((line) => pattern.test(line)) ?? '';
};

async function listed(): Promise<readonly Listed[]> {
  const { code, stdout } = await scene.gate.command('users', '--output=json');
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { readonly users: readonly Listed[] }).users;
}

describe('a gate with caps', () => {
  it('answers within them, refuses beyond them, and says who took what', async () => {
    const whole = await scene.ask('/metrics');
    expect(whole.status).toBe(200);
    const series = whole.body.split('\n').filter((line) => /^[^#]/.test(line)).length;

    const { certFile, keyFile } = scene.client;
    const refused = await scene.askAsStranger('/metrics', '--cert', certFile, '--key', keyFile);
    expect([refused.status, refused.body]).toEqual([422, expect.stringContaining('more series') as string]);
    expect((await scene.ask('/metrics', '-u', 'typed-by-a-stranger:x')).status).toBe(401);

    const users = await poll('both to be listed', async () => {
      const found = await listed();
      return found.filter(({ requests }) => requests !== 0).length === 2 ? found : false;
    });
    expect(users).toMatchObject([
      { identity: 'idle', user: 'idle', certificate: null, last_seen: null },
      { identity: 'master', user: 'prom', address: '127.0.0.1', scrapes: 1, series, refusals: 0 },
      { identity: 'small', user: null, certificate: { name: 'central' }, refusals: 1, last_refusal: 'cap_series' },
    ]);
    expect(JSON.stringify(users)).not.toContain('typed');
    expect(Date.parse(String(users[1]?.['last_seen']))).toBeGreaterThan(Date.now() - 60_000);
  });

  it('has the account in its metrics and in one line of the access log', async () => {
    expect(await metric(/^promgate_scrapes_total\{.*identity="master",sharing="leader"\}/)).toMatch(/ [1-9]\d*$/);
    expect(await metric(/^promgate_scrape_series\{.*identity="master"\}/)).toMatch(/ [1-9]\d+$/);
    expect(await metric(/^promgate_identity_last_seen_timestamp_seconds\{identity="small"\}/)).not.toBe('');
    expect(await metric(/^promgate_refused_total\{reason="cap_series"\}/)).toMatch(/ 1$/);
    const line = await poll('the line', () =>
      scene.gate
        .logs()
        .split('\n')
        .find((text) => text.includes('msg=request') && text.includes('identity=master')),
    );
    expect(line).toMatch(/ series=\d+ samples=\d+ uncompressed_bytes=\d+ first_byte_ms=\d+ sharing=leader/);
  });

  it('prints a table, too', async () => {
    const { code, stdout } = await scene.gate.command('users');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^IDENTITY +CREDENTIAL +LAST SEEN +ADDRESS +SCRAPES +BYTES +SERIES +REFUSALS\n/);
    expect(stdout).toMatch(
      /^small +certificate central \([0-9A-F]+\) +\d+ s ago +127\.0\.0\.1 .* 1, last cap_series$/m,
    );
  });
});
