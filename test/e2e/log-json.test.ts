/** `--log.format=json`: every line that `run` prints is an object, from the first warning to the error with which it ends. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashSync } from 'bcryptjs';
import { curl } from '../support/curl.ts';
import { promgate, startGate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'promgate-json-'));
});
afterEach(() => rm(directory, { recursive: true }));

type Line = Readonly<Record<string, unknown>>;

function parsed(text: string): Line[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      expect(line).toMatch(/^\{.*\}$/);
      const fields = JSON.parse(line) as Line;
      expect(Object.keys(fields).filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
      expect(fields).toMatchObject({ level: expect.any(String) as string, msg: expect.any(String) as string });
      return fields;
    });
}

const run = (file: string) => promgate(['run', '--log.format=json', `--config.file=${join(directory, file)}`]);

it('problems of the configuration have their place and hint', async () => {
  await writeFile(join(directory, 'bad.yml'), 'upstreems: []\nauthenticate: nonne\n');
  const { code, stdout, stderr } = await run('bad.yml');
  expect([code, stdout]).toEqual([1, '']);
  const lines = parsed(stderr);
  expect(lines.find(({ hint }) => String(hint).includes('upstreams'))).toMatchObject({
    level: 'error',
    place: expect.stringMatching(/bad\.yml:1:1$/) as string,
  });
});

it('a file that is not there, and an address that is taken', async () => {
  const missing = await run('none.yml');
  expect(missing.code).toBe(1);
  expect(parsed(missing.stderr)).toMatchObject([{ level: 'error' }]);
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const text = `listen_addresses: ["127.0.0.1:${String(port)}"]\nadmin_address: off\nauthenticate: none\nupstreams: [{url: self}]\n`;
  await writeFile(join(directory, 'taken.yml'), text);
  const { code, stderr } = await run('taken.yml');
  taken.close();
  expect(code).toBe(1);
  expect(parsed(stderr).at(-1)).toMatchObject({ level: 'error', msg: expect.stringContaining(String(port)) as string });
});

it('warnings at the start, requests, failed logins and the end', async () => {
  const gate = await startGate({
    scheme: 'http',
    argv: ['--log.format=json'],
    files: { '.htpasswd': `prom:${hashSync('right', 4)}\n` },
    config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${String(port)}"]
admin_address: 127.0.0.1:${String(adminPort)}
htpasswd_file: .htpasswd
access_log: true
lockout: {attempts: 3}
trusted_proxies: [127.0.0.9]
allow: [127.0.0.1]
upstreams: [{url: self}]
`,
  });
  const ask = (password: string, agent: string) =>
    curl('--user', `prom:${password}`, '--user-agent', agent, `${gate.url.replace('localhost', '127.0.0.1')}/metrics`);
  expect((await ask('right', `Prometheus/3.5 "x"\\ ${'y'.repeat(200)}`)).status).toBe(200);
  for (const password of ['a', 'b', 'c']) expect((await ask(password, 'guesser')).status).toBe(401);
  const failed = () =>
    gate
      .logs()
      .split('\n')
      .filter((line) => line.includes('"msg":"login failed"'));
  await poll('the failed logins', () => failed().length === 3);
  const logs = gate.logs();
  await gate.stop();
  const lines = parsed(logs);
  expect(lines.find(({ msg }) => String(msg).includes('not in allow'))).toMatchObject({ level: 'warn' });
  const [request] = lines.filter(({ msg }) => msg === 'request');
  expect(request).toMatchObject({ identity: 'password:prom', bytes_in: 0, duration_ms: expect.any(Number) as number });
  expect(request?.['user_agent']).toMatch(/^Prometheus\/3\.5 "x"\\\\ y+…$|^Prometheus\/3\.5 "x"\\\\ y+\\u2026$/);
  expect(String(request?.['user_agent']).length).toBeLessThan(80);
  expect(Object.keys(request ?? {}).at(-2)).toBe('user_agent');
  // Beside the access log one line a failed login, the one that locks included.
  const mentions = lines.filter(({ reason, user }) => reason === 'credentials_wrong' && user === 'prom');
  expect(mentions).toHaveLength(3);
  expect(mentions.at(-1)).toMatchObject({ locks: 'user' });
  expect(lines.filter(({ msg }) => String(msg).includes('locked out'))).toEqual([]);
});
