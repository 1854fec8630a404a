/**
 * An application with sessions behind `kind: any`: its login answers with a cookie and sends the browser on, and without the
 * cookie it sends it back to the login for ever.
 */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const upgrades: (string | undefined)[] = [];
const application = createServer(({ url = '', headers }, response) => {
  upgrades.push(headers.upgrade);
  if (url.endsWith('/login')) {
    response
      .writeHead(302, { 'set-cookie': ['session=42; Path=/; HttpOnly; Secure', 'seen=1'], location: 'home' })
      .end();
  } else if (headers.cookie?.includes('session=42') === true) {
    response.end(`welcome, cookies: ${headers.cookie}`);
  } else {
    response.writeHead(302, { location: 'login' }).end();
  }
});

let scene: Scene;
beforeAll(async () => {
  await once(application.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(application.address() as AddressInfo).port}`;
  scene = await startScene({
    yaml: `
upstreams:
  - {url: "${url}", kind: any, path_prefix: /app, pass_cookies: true}
  - {url: "${url}", kind: any, path_prefix: /plain}
`,
  });
});
afterAll(async () => {
  await scene.stop();
  application.close();
});

/** As a browser that keeps cookies. */
const browse = (path: string, ...argv: string[]) =>
  scene.ask(path, '--location', '--max-redirs', '5', '--cookie', '', ...argv);

it('lets a browser stay logged in with pass_cookies, over both versions of HTTP', async () => {
  for (const version of ['--http1.1', '--http2']) {
    const { status, body } = await browse('/app/home', version);
    expect({ status, body }).toEqual({
      status: 200,
      body: expect.stringMatching(/^welcome, cookies: (?=.*session=42)(?=.*seen=1)/),
    });
  }
});

it('passes no cookie in either direction without it', async () => {
  const login = await scene.ask('/plain/login');
  expect(login.status).toBe(302);
  expect(login.headers).not.toHaveProperty('set-cookie');
  expect((await scene.ask('/plain/home', '--cookie', 'session=42')).status).toBe(302);
  // 47: too many redirects.
  expect((await browse('/plain/home')).exit).toBe(47);
});

it('does not pass an upgrade on: the application is asked without it', async () => {
  upgrades.length = 0;
  const asked = ['-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket', '-H', 'Sec-WebSocket-Version: 13'];
  expect((await scene.ask('/app/socket', '--http1.1', ...asked)).status).toBe(302);
  expect(upgrades).toEqual([undefined]);
});
