/** What operators start is dist/ joined into few files: the worker, and what is loaded only later, are found from there. */
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createRequire } from 'node:module';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/bundle/main.js');

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('the bundle', () => {
  test('is the command of the package', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest['bin']).toEqual({ promgate: 'dist/bundle/main.js' });
    const { stdout } = await runProcess(process.execPath, [MAIN, '--version']);
    expect(stdout.trim()).toBe(manifest['version']);
  });

  // For an assertion without a message Node 20 reads the program's file and parses it: 5 s of the event loop in this one.
  test('asserts without reading itself', async () => {
    const files = (await readdir(join(ROOT, 'dist/bundle'))).filter((name) => name.endsWith('.js'));
    expect(files.length).toBeGreaterThan(0);
    for (const name of files) {
      expect(await readFile(join(ROOT, 'dist/bundle', name), 'utf8')).not.toMatch(/require\(["'](?:node:)?assert/);
    }
  });

  test.each(['101 Switching Protocols', '099 Odd'])('says 502 when an upstream answers %s', async (status) => {
    const upstream = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\n\r\n`));
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    cleanups.push(async () => upstream.close());
    const { port: upstreamPort } = upstream.address() as AddressInfo;
    const gate = await startGate({
      main: MAIN,
      scheme: 'http',
      config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
authenticate: none
plain_http: true
upstreams: [{url: "http://127.0.0.1:${upstreamPort}"}]
`,
    });
    cleanups.push(() => gate.stop());
    expect((await curl(`http://127.0.0.1:${gate.port}/metrics`)).status).toBe(502);
  });

  test('finds the worker that hashes passwords', async () => {
    const htpasswd = await runProcess(findProgram('htpasswd'), ['-niBC', '10', 'prom'], { input: 'right\n' });
    const gate: Gate = await startGate({
      main: MAIN,
      scheme: 'http',
      files: { htpasswd: htpasswd.stdout.trim() },
      config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
htpasswd_file: htpasswd
upstreams: [{url: self}]
`,
    });
    cleanups.push(() => gate.stop());
    const url = `http://127.0.0.1:${gate.port}/metrics`;
    expect((await curl('--user', 'prom:wrong', url)).status).toBe(401);
    expect((await curl('--user', 'prom:right', url)).status).toBe(200);
  });

  // Not scrapes: those go another way than through @fastify/http-proxy.
  test.each(['http', 'https', 'unix'] as const)(
    'forwards reads and writes over %s, and says 502 when nobody is there',
    async (kind) => {
      const echo: RequestListener = (request, response) => {
        request.pipe(response.writeHead(200, { 'content-type': 'text/plain' }));
      };
      const authority = createAuthority();
      const { cert, key } = authority.issue({ name: 'localhost', sans: ['IP:127.0.0.1'], purpose: 'server' });
      const server = kind === 'https' ? createTlsServer({ cert, key }, echo) : createServer(echo);
      const socket = join(authority.directory, 'upstream.sock');
      server.listen(kind === 'unix' ? { path: socket } : { host: '127.0.0.1', port: 0 });
      await once(server, 'listening');
      const url = kind === 'unix' ? `unix:${socket}` : `${kind}://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const gate = await startGate({
        main: MAIN,
        scheme: 'http',
        files: { 'ca.crt': authority.cert },
        config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
upstreams: [{url: "${url}", kind: any${kind === 'https' ? ', tls_config: {ca_file: ca.crt}' : ''}}]
`,
      });
      cleanups.push(() => gate.stop());
      const address = `http://127.0.0.1:${gate.port}/api/v1/query?query=up`;
      expect(await curl(address)).toMatchObject({ status: 200, body: '' });
      expect(await curl('--data', 'query=up', address)).toMatchObject({ status: 200, body: 'query=up' });
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      authority.remove();
      expect(await curl(address)).toMatchObject({ status: 502 });
    },
  );

  test('has every part of undici that @fastify/reply-from asks for', async () => {
    const require = createRequire(import.meta.url);
    const library = await readFile(join(ROOT, 'node_modules/@fastify/reply-from/lib/request.js'), 'utf8');
    const asked = [...library.matchAll(/\bundici\.(\w+)/g)].map(([, name]) => name);
    expect(asked.length).toBeGreaterThan(0);
    const parts = require('../../scripts/bundled/undici.cjs') as object;
    for (const name of asked) expect(parts).toHaveProperty(name ?? '');
  });

  test('loads what issues certificates', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'promgate-bundle-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const init = await runProcess(process.execPath, [MAIN, 'init', directory]);
    expect(init.code, init.stderr).toBe(0);
    const check = await runProcess(process.execPath, [MAIN, 'check', join(directory, 'promgate.yml')]);
    expect(check.code).toBe(0);
  });
});
