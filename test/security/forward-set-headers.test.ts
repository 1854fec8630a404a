/**
 * The attack: a client sends the header by which the upstream tells tenants apart (X-Scope-OrgID) itself, in a spelling that
 * the upstream folds into it or over a path where the operator sets none, or is answered from a scrape that was shared
 * with another tenant. What is set anywhere never comes from a client, and is part of what a shared answer is for.
 */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PASSWORD, htpasswdLine, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

/** Says which headers it got that may be read as the tenant's. */
const upstream = createServer(({ rawHeaders }, response) => {
  const seen = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && /^x.(scope.orgid|source)$/i.test(name) ? [`${name.toLowerCase()}=${rawHeaders[index + 1]}`] : [],
  );
  response.setHeader('Content-Type', 'text/plain');
  response.end(`# ${seen.sort().join(' ')}\n`);
});

let scene: Scene;
beforeAll(async () => {
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const users = await Promise.all(['alpha', 'beta', 'plain'].map((user) => htpasswdLine(user, PASSWORD)));
  scene = await startScene({
    files: { '.htpasswd': users.join('') },
    yaml: `
upstreams:
  - {url: "${url}", kind: any, share: across_identities, max_age: 1m, set_headers: {X-Scope-OrgID: everybody, X-Source: gate}}
  - {url: "${url}", kind: any, path_prefix: /bare}
identities:
  - {name: alpha, set_headers: {X-Scope-OrgID: tenant-a}}
  - {name: beta, set_headers: {x-scope-orgid: 7}}
  - {name: plain}
`,
  });
});
afterAll(async () => {
  await scene.stop();
  upstream.close();
});

const FORGED = ['X-Scope-OrgID: tenant-b', 'X_Scope_OrgID: tenant-b', 'x.scope-orgid: tenant-b', 'X-Source: me'];
const ask = async (user: string, path: string): Promise<string> => {
  const forged = FORGED.flatMap((header) => ['-H', header]);
  const { status, body } = await scene.askAsStranger(path, '-u', `${user}:${PASSWORD}`, ...forged);
  expect(status).toBe(200);
  return body;
};

it('is of the identity, else of the upstream, whatever the client sends', async () => {
  expect(await ask('alpha', '/api')).toBe('# x-scope-orgid=tenant-a x-source=gate\n');
  expect(await ask('beta', '/api')).toBe('# x-scope-orgid=7 x-source=gate\n');
  expect(await ask('plain', '/api')).toBe('# x-scope-orgid=everybody x-source=gate\n');
});

it('does not come from a client where the operator sets none', async () => {
  expect(await ask('plain', '/bare/api')).toBe('# \n');
  expect(await ask('alpha', '/bare/api')).toBe('# x-scope-orgid=tenant-a\n');
});

it('keeps shared and remembered scrapes of different tenants apart', async () => {
  for (const path of ['/federate', '/metrics']) {
    expect(await ask('alpha', path)).toContain('x-scope-orgid=tenant-a');
    expect(await ask('beta', path)).toContain('x-scope-orgid=7');
    expect(await ask('plain', path)).toContain('x-scope-orgid=everybody');
    expect(await ask('alpha', path)).toContain('x-scope-orgid=tenant-a');
  }
});
