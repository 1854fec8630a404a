/** Reloads of the real gate under load, live revocation, and the files that change while it runs. */
import { Agent, get } from 'node:https';
import { connect } from 'node:http2';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/poll.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { PASSWORD, USER, htpasswdLine, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const AUTHORIZATION = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;

describe('a reload', () => {
  let prometheus: Prometheus;
  let scene: Scene;
  let yaml: string;

  beforeAll(async () => {
    prometheus = await startPrometheus();
    yaml = `upstreams: [{url: "${prometheus.url}"}]\nauthenticate: either`;
    scene = await startScene({ yaml });
  });
  afterAll(async () => {
    await scene.stop();
    await prometheus.stop();
  });

  /** A status, or the error of a connection that was not there. */
  const ask = (agent: Agent, headers: Record<string, string> = {}): Promise<number | string> =>
    new Promise((resolve) => {
      get(
        { host: '127.0.0.1', servername: 'localhost', port: scene.gate.port, path: '/-/healthy', agent, headers },
        (response) => {
          response.resume();
          response.on('end', () => {
            resolve(response.statusCode ?? 0);
          });
        },
      ).on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message);
      });
    });

  const writeConfig = async (change: (text: string) => string): Promise<void> => {
    const text = await readFile(scene.gate.configFile, 'utf8');
    const next = `${scene.gate.configFile}.new`;
    await writeFile(next, change(text));
    await rename(next, scene.gate.configFile);
  };

  const generation = async (): Promise<string> =>
    /promgate_config_info\{hash="([0-9a-f]+)"\} 1/.exec(await scene.gate.metrics())?.[1] ?? '';

  it('fails no request under load, over HTTP/1.1 and HTTP/2', async () => {
    const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, ca: scene.authority.cert }));
    const session = connect(scene.gate.url, { ca: scene.authority.cert });
    const statuses = new Map<number | string, number>();
    const count = (status: number | string): void => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    };
    const overHttp2 = (): Promise<number | string> =>
      new Promise((resolve) => {
        const stream = session.request({ ':path': '/-/healthy', authorization: AUTHORIZATION });
        let status = 0;
        stream.on('response', (headers) => {
          status = headers[':status'] ?? 0;
        });
        stream.on('error', (error: NodeJS.ErrnoException) => {
          resolve(error.code ?? error.message);
        });
        stream.on('close', () => {
          resolve(status);
        });
        stream.resume();
      });
    let running = true;
    const clients = [
      ...agents.map(async (agent) => {
        while (running) count(await ask(agent, { authorization: AUTHORIZATION }));
      }),
      ...[1, 2].map(async () => {
        while (running) count(await overHttp2());
      }),
    ];
    for (let round = 0; round < 20; round++) {
      await writeConfig((text) => `${text.replace(/\ndrain_timeout: .*/, '')}\ndrain_timeout: ${round + 1}s`);
      expect(await scene.gate.command('reload')).toMatchObject({ code: 0 });
    }
    running = false;
    await Promise.all(clients);
    session.close();
    for (const agent of agents) agent.destroy();
    expect([...statuses.keys()]).toEqual([200]);
    expect(statuses.get(200)).toBeGreaterThan(100);
  });

  it('keeps the old state when the new configuration has errors, and says each with its place', async () => {
    const before = await generation();
    await writeConfig((text) => `${text}\nalow: [10.1.2.3/8]\n`);
    const result = await scene.gate.command('reload');
    expect(result.code).toBe(1);
    expect(result.stdout + result.stderr).toMatch(/promgate\.yml:\d+:1: error: .*alow/);
    expect(result.stdout + result.stderr).toContain('did you mean "allow"');
    expect(await generation()).toBe(before);
    expect(await scene.ask('/-/healthy')).toMatchObject({ status: 200 });
    expect(await scene.gate.metrics()).toContain('promgate_config_last_reload_successful{source="config"} 0');
    await writeConfig((text) => text.replace(/\nalow: .*\n/, ''));
    expect(await scene.gate.command('reload')).toMatchObject({ code: 0 });
    expect(await scene.gate.metrics()).toContain('promgate_config_last_reload_successful{source="config"} 1');
  });

  it('shuts a revoked certificate out on its live connection', async () => {
    const { authority, gate, client } = scene;
    await writeFile(join(gate.directory, 'ca.crl'), authority.crl().pem);
    await writeConfig((text) =>
      text.replace('client_ca_file: ca.crt', 'client_ca_file: ca.crt\n  client_crl_files: [ca.crl]'),
    );
    await gate.command('reload');

    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert, cert: client.cert, key: client.key });
    const session = connect(gate.url, { ca: authority.cert, cert: client.cert, key: client.key });
    const goneAway = new Promise<void>((resolve) => {
      session.once('close', resolve);
    });
    session.on('error', () => undefined);
    expect(await ask(agent)).toBe(200);
    await new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/-/healthy' });
      stream.on('response', (headers) => {
        resolve(headers[':status']);
      });
      stream.on('error', reject);
      stream.resume();
    });

    authority.revoke(client);
    await writeFile(join(gate.directory, 'ca.crl'), authority.crl().pem);
    await goneAway;
    await poll('the refusal', async () => (await ask(agent)) !== 200);
    expect(await ask(agent)).toMatch(/ECONNRESET|EPIPE|socket hang up/);
    agent.destroy();
    expect(await gate.metrics()).toMatch(/promgate_refused_total\{reason="certificate_revoked"\} [1-9]/);
  });

  it('takes a renewed certificate without dropping the connections that are there', async () => {
    const { authority, gate } = scene;
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert });
    expect(await ask(agent, { authorization: AUTHORIZATION })).toBe(200);
    const renewed = authority.issue({ name: 'renewed', sans: ['DNS:localhost', 'IP:127.0.0.1'], purpose: 'server' });
    // Key and certificate come one after the other, as certbot and Kubernetes write them.
    await writeFile(join(gate.directory, 'server.key'), renewed.key);
    await writeFile(join(gate.directory, 'server.crt'), renewed.cert);
    await poll('the new certificate', async () => {
      const answer = await scene.ask('/-/healthy', '-v');
      return answer.stderr.includes('CN=renewed');
    });
    expect(await ask(agent, { authorization: AUTHORIZATION })).toBe(200);
    agent.destroy();
  });

  it('sees the swap of a Kubernetes volume', async () => {
    const { gate } = scene;
    const volume = join(gate.directory, 'volume');
    const generations = ['..one', '..two'].map((name) => join(volume, name));
    const [one = '', two = ''] = generations;
    await mkdir(one, { recursive: true });
    await mkdir(two);
    await writeFile(join(one, 'users'), await htpasswdLine('first', 'one'));
    await writeFile(join(two, 'users'), await htpasswdLine('second', 'two'));
    await symlink('..one', join(volume, '..data'));
    await symlink('..data/users', join(volume, 'users'));
    await writeConfig((text) => text.replace('htpasswd_file: .htpasswd', 'htpasswd_file: volume/users'));
    await gate.command('reload');
    expect(await scene.ask('/-/healthy', '-u', 'first:one')).toMatchObject({ status: 200 });

    await symlink('..two', join(volume, '..data_tmp'));
    await rename(join(volume, '..data_tmp'), join(volume, '..data'));
    await rm(one, { recursive: true });
    await poll('the new user', async () => (await scene.ask('/-/healthy', '-u', 'second:two')).status === 200);
    expect(await scene.ask('/-/healthy', '-u', 'first:one')).toMatchObject({ status: 401 });
  });

  it('says what needs a restart', async () => {
    await writeConfig((text) => text.replace(/admin_address: .*/, 'admin_address: 127.0.0.1:1'));
    scene.gate.process.signal('SIGHUP');
    await poll('the line in the log', () => scene.gate.logs().includes('admin_address'));
    expect(await scene.ask('/-/healthy', '-u', 'second:two')).toMatchObject({ status: 200 });
  });

  it('ends with code 0 on SIGTERM', async () => {
    scene.gate.process.signal('SIGTERM');
    expect(await scene.gate.process.exited).toEqual({ code: 0, signal: null });
  });
});
