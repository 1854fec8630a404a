/**
 * docs/from-nginx.md, executed: its nginx and its gate stand beside each other in front of one Prometheus and are asked the
 * same; its commands are run; what it says is refused is refused, and comes back by the entry that it names.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';
import { freePort } from '../support/free-port.ts';
import { promgate, startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { poll } from '../support/poll.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess, startProcess } from '../support/processes.ts';
import type { RunningProcess } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

const PAGE = await readFile(fileURLToPath(new URL('../../docs/from-nginx.md', import.meta.url)), 'utf8');
const NAME = 'prom.example.net';
const LINEAGE = `etc/letsencrypt/live/${NAME}`;
const USERS = ['prometheus:secret', 'viewer:secret'];

const fenced = (language: string): string[] =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
const [site = ''] = fenced('nginx');
const [moved = '', narrowed = ''] = fenced('yaml');
const [installs = '', lets = ''] = fenced('sh');
/** Rows of the table of what is refused: the requests, the status, the entry. */
const refused = [...PAGE.matchAll(/^\| `([^|]*)` .*?\| (40[034]) +\| (.*?) +\|$/gm)].map(
  ([, requests = '', status = '', entry = '']) => ({ requests, status: Number(status), entry }),
);

/** What the machine's own users and directories are on the page becomes those of the test. */
const group = String(process.getgid?.() ?? 0);
const inside = (root: string, text: string): string =>
  text
    .replaceAll('/etc/', `${root}/etc/`)
    .replaceAll('-g promgate', `-g ${group}`)
    .replaceAll('chgrp promgate', `chgrp ${group}`);

describe('docs/from-nginx.md', () => {
  let root: string;
  let prometheus: Prometheus;
  let nginx: RunningProcess;
  let nginxUrl: string;
  let gate: Gate;
  const authority = createAuthority('from nginx');

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'promgate-from-nginx-'));
    const { cert, key } = authority.issue({ name: NAME, sans: [`DNS:${NAME}`, 'DNS:localhost'], purpose: 'server' });
    const archive = join(root, `etc/letsencrypt/archive/${NAME}`);
    await Promise.all([archive, join(root, LINEAGE), join(root, 'etc/nginx'), join(root, 'etc/promgate')].map(make));
    await writeFile(join(archive, 'fullchain1.pem'), cert);
    await writeFile(join(archive, 'privkey1.pem'), key, { mode: 0o600 });
    for (const file of ['fullchain', 'privkey']) {
      execFileSync('ln', ['-s', `../../archive/${NAME}/${file}1.pem`, join(root, LINEAGE, `${file}.pem`)]);
    }
    for (const user of USERS) {
      const [name = '', password = ''] = user.split(':');
      const made = await runProcess(findProgram('htpasswd'), ['-nbm', name, password]);
      await writeFile(join(root, 'etc/nginx/.htpasswd'), `${made.stdout.trim()}\n`, { flag: 'a', mode: 0o640 });
    }
    await run(installs);
    prometheus = await startPrometheus();
    nginxUrl = await startNginx();
    gate = await gateWith('');
  });
  afterAll(async () => {
    await gate?.stop();
    await nginx?.stop();
    await prometheus?.stop();
    authority.remove();
    await rm(root, { recursive: true, force: true });
  });

  const make = (directory: string): Promise<unknown> => mkdir(directory, { recursive: true, mode: 0o700 });

  const run = async (commands: string): Promise<void> => {
    const done = await runProcess(findProgram('bash'), ['-euc', inside(root, commands).replaceAll('-o root ', '')]);
    expect(done, done.stderr).toMatchObject({ code: 0 });
  };

  const startNginx = async (): Promise<string> => {
    const port = await freePort();
    const file = join(root, 'nginx.conf');
    const server = inside(root, site)
      .replace('listen 9095 ssl;', `listen 127.0.0.1:${port} ssl;`)
      .replace('http://127.0.0.1:9090', prometheus.url);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${root}/tmp;`,
    );
    await writeFile(
      file,
      `daemon off; master_process off; pid ${root}/nginx.pid; error_log stderr;
events {}
http { access_log off; ${temporary.join(' ')} ${server} }
`,
    );
    nginx = startProcess(findProgram('nginx'), ['-c', file, '-e', 'stderr']);
    const url = `https://localhost:${port}`;
    await poll('nginx answers', async () => {
      if (nginx.exit() !== null) throw new Error(nginx.output());
      return (await ask(url, 'GET', '/-/ready', 'prometheus:secret')) === 200;
    });
    return url;
  };

  const configuration = (more: string): string =>
    inside(root, moved).replace('http://127.0.0.1:9090', prometheus.url) + more;

  const gateWith = (more: string): Promise<Gate> =>
    startGate({
      config: ({ port, adminPort }) =>
        configuration(more).replace("[':9095']", `["127.0.0.1:${port}"]`) + `admin_address: 127.0.0.1:${adminPort}\n`,
    });

  const ask = async (url: string, method: string, target: string, user: string): Promise<number> => {
    const argv = ['--cacert', authority.certFile, '--path-as-is', '-X', method, '-u', user];
    return (await curl(...argv, `${url}${target}`)).status;
  };

  it('has the same answers from nginx and from the gate, for what a master, a viewer and a stranger ask', async () => {
    const requests: [string, string, string][] = [
      ['GET', '/federate?match[]=up', 'prometheus:secret'],
      ['GET', '/metrics', 'prometheus:secret'],
      ['GET', '/-/healthy', 'viewer:secret'],
      ['GET', '/api/v1/query?query=up', 'viewer:secret'],
      ['POST', '/api/v1/query?query=up', 'viewer:secret'],
      ['GET', '/api/v1/query?query=%29', 'viewer:secret'],
      ['GET', '/metrics', 'prometheus:wrong'],
      ['GET', '/metrics', 'stranger:secret'],
    ];
    for (const [method, target, user] of requests) {
      const escaped = target.replace('[]', '%5B%5D');
      const before = await ask(nginxUrl, method, escaped, user);
      expect([method, target, user, await ask(gate.url, method, escaped, user)]).toEqual([
        method,
        target,
        user,
        before,
      ]);
    }
  });

  it('has an identity that leaves the master what a federation needs, and the others nothing', async () => {
    const narrow = await gateWith(narrowed);
    try {
      expect(await ask(narrow.url, 'GET', '/federate?match%5B%5D=up', 'prometheus:secret')).toBe(200);
      expect(await ask(narrow.url, 'GET', '/api/v1/query?query=up', 'prometheus:secret')).toBe(403);
      expect(await ask(narrow.url, 'GET', '/federate?match%5B%5D=up', 'viewer:secret')).toBe(403);
    } finally {
      await narrow.stop();
    }
  });

  it('refuses what its table says, where nginx passes it on', async () => {
    expect(refused.length).toBeGreaterThan(4);
    for (const { requests, status } of refused) {
      const method = /^[A-Z]+(?= )/.exec(requests)?.[0] ?? 'GET';
      const targets = [...requests.matchAll(/\/[\w/-]+/g)].map(([target]) => target);
      expect(targets.length, requests).toBeGreaterThan(0);
      for (const target of targets) {
        expect([target, await ask(gate.url, method, target, 'viewer:secret')]).toEqual([target, status]);
        if (method === 'GET') expect(await ask(nginxUrl, method, target, 'viewer:secret'), target).not.toBe(status);
      }
    }
  });

  it('names entries that bring it back', async () => {
    const wide = await gateWith('');
    try {
      const plain = await readFile(wide.configFile, 'utf8');
      for (const { requests, entry } of refused) {
        const text = /`(.*)`/.exec(entry)?.[1];
        if (text === undefined) continue;
        const widened = text.startsWith('also_allow')
          ? plain.replace(/^ +- url: .*$/m, (line) => `${line}\n    ${text}`)
          : `${plain}${text.replace('NAME', 'viewer')}\n`;
        await writeFile(wide.configFile, widened);
        expect(await wide.command('reload'), text).toMatchObject({ code: 0 });
        const method = /^[A-Z]+(?= )/.exec(requests)?.[0] ?? 'GET';
        const [target = ''] = /\/[\w/-]+/.exec(requests) ?? [];
        const direct = await fetch(prometheus.url + target, { method, redirect: 'manual' });
        const status = await ask(wide.url, method, target, 'viewer:secret');
        expect([target, status]).toEqual([target, direct.status]);
      }
    } finally {
      await wide.stop();
    }
  });

  it('opens certbot’s files to the group alone', async () => {
    await run(lets);
    const key = await stat(join(root, `etc/letsencrypt/archive/${NAME}/privkey1.pem`));
    expect([(key.mode & 0o777).toString(8), String(key.gid)]).toEqual(['640', group]);
    for (const directory of ['live', 'archive']) {
      const { mode, gid } = await stat(join(root, 'etc/letsencrypt', directory));
      expect([(mode & 0o777).toString(8), String(gid)]).toEqual(['750', group]);
    }
    const users = await stat(join(root, 'etc/promgate/.htpasswd'));
    expect([(users.mode & 0o777).toString(8), String(users.gid)]).toEqual(['640', group]);
  });

  it('shows configurations that pass the check', async () => {
    for (const more of ['', narrowed]) {
      const file = join(root, 'check.yml');
      await writeFile(file, configuration(more), { mode: 0o600 });
      const checked = await promgate(['check', file]);
      expect(checked.stdout + checked.stderr, more).not.toContain('error:');
      expect(checked.code).toBe(0);
    }
  });
});
