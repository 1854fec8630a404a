/** The own CA from end to end: what `promgate pki` makes works with openssl, curl, Prometheus and node_exporter. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { Agent, get } from 'node:https';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createAuthorityHost } from '../support/authority-host.ts';
import type { AuthorityHost } from '../support/authority-host.ts';
import { curl } from '../support/curl.ts';
import { freePort } from '../support/free-port.ts';
import { promgate, promgateInit } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { startNodeExporter } from '../support/node-exporter.ts';
import type { NodeExporter } from '../support/node-exporter.ts';
import { poll } from '../support/poll.ts';
import { runProcess, startProcess } from '../support/processes.ts';
import type { RunningProcess } from '../support/processes.ts';
import { findProgram } from '../support/programs.ts';
import { startPrometheus } from '../support/prometheus.ts';

const MAIN = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

/** From the end of `pki revoke` to the end of the connection: a second, and as much again for a busy machine. */
const SHUT_OUT_MS = 2_000;

let host: AuthorityHost;
let upstream: NodeExporter;
let gate: Gate;
let tlsConfig: string;

const certs = (name: string): string => host.certs(name);
const read = (name: string): string => readFileSync(certs(name), 'utf8');

const pki = (...argv: readonly string[]): Promise<string> => host.pki(...argv);

beforeAll(async () => {
  host = await createAuthorityHost();
  tlsConfig = await pki('issue', 'client', 'central', '--san=dns:central.example.com');
  upstream = await startNodeExporter();
  gate = await host.startGate(`upstreams: [{url: "${upstream.url}", kind: exporter}]`);
});
afterAll(async () => {
  await gate.stop();
  await upstream.stop();
  await host.remove();
});

const client = (name: string): readonly string[] => [
  ...['--cacert', certs('ca.crt'), '--cert', certs(`${name}.crt`), '--key', certs(`${name}.key`)],
];

describe('what pki makes', () => {
  it('is verified by openssl, the list too', async () => {
    const openssl = (...argv: string[]) => runProcess('openssl', argv);
    const leaves = [certs('localhost.crt'), certs('central.crt')];
    const strict = ['-x509_strict', '-crl_check', '-CAfile', certs('ca.crt'), '-CRLfile', certs('ca.crl')];
    expect(await openssl('verify', ...strict, ...leaves)).toMatchObject({ code: 0 });
    expect(await openssl('verify', '-purpose', 'sslclient', ...strict, certs('central.crt'))).toMatchObject({
      code: 0,
    });
    expect((await openssl('verify', '-purpose', 'sslserver', ...strict, certs('central.crt'))).code).not.toBe(0);
    const crl = await openssl('crl', '-in', certs('ca.crl'), '-CAfile', certs('ca.crt'), '-noout');
    expect(crl.stdout + crl.stderr).toContain('verify OK');
  });

  it('works for curl, with HTTP/1.1 and HTTP/2, and without the certificate nothing does', async () => {
    for (const version of ['--http1.1', '--http2']) {
      const answer = await curl(version, ...client('central'), `${gate.url}/metrics`);
      expect(answer).toMatchObject({ exit: 0, status: 200 });
    }
    expect((await curl('--cacert', certs('ca.crt'), `${gate.url}/metrics`)).status).toBe(0);
  });

  it('works for a real Prometheus with the tls_config as it was printed', async () => {
    const indented = tlsConfig.trim().replace(/^/gm, '    ');
    const prometheus = await startPrometheus({
      scrapeConfigs: `  - job_name: site\n    scheme: https\n${indented}\n    static_configs: [{targets: ["127.0.0.1:${gate.port}"]}]`,
    });
    try {
      await prometheus.waitFor('up{job="site"} == 1');
    } finally {
      await prometheus.stop();
    }
  });

  it('works for the web.yml of a real node_exporter', async () => {
    const port = await freePort();
    const web = join(host.directory, 'web.yml');
    const printed = await pki('issue', 'server', 'node.localhost', 'localhost', '127.0.0.1');
    await writeFile(
      web,
      `${printed}  client_ca_file: ${certs('ca.crt')}\n  client_auth_type: RequireAndVerifyClientCert\n`,
    );
    const argv = [`--web.listen-address=127.0.0.1:${port}`, `--web.config.file=${web}`, '--collector.disable-defaults'];
    let exporter: RunningProcess | null = null;
    try {
      exporter = startProcess(findProgram('prometheus-node-exporter'), argv);
      const url = `https://localhost:${port}/metrics`;
      await poll('node_exporter answers', async () => (await curl(...client('central'), url)).status === 200);
      expect((await curl('--cacert', certs('ca.crt'), url)).exit).not.toBe(0);
    } finally {
      await exporter?.stop();
    }
  });
});

describe('pki revoke', () => {
  const askOn = (agent: Agent): Promise<number | string> =>
    new Promise((resolve) => {
      const { port } = gate;
      get({ host: '127.0.0.1', servername: 'localhost', port, path: '/metrics', agent }, (response) => {
        response.resume();
        response.on('end', () => {
          resolve(response.statusCode ?? 0);
        });
      }).on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message);
      });
    });

  it('shuts the holder out within a second on his live connections, and nobody else', async () => {
    await pki('issue', 'client', 'leaver');
    const tls = { ca: read('ca.crt'), cert: read('leaver.crt'), key: read('leaver.key') };
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...tls });
    const other = new Agent({
      keepAlive: true,
      maxSockets: 1,
      ca: read('ca.crt'),
      cert: read('central.crt'),
      key: read('central.key'),
    });
    const session = connect(gate.url, tls);
    session.on('error', () => undefined);
    try {
      const kept: NodeJS.EventEmitter[] = [];
      agent.once('free', (socket: NodeJS.EventEmitter) => {
        kept.push(socket);
      });
      expect(await askOn(agent)).toBe(200);
      expect(await askOn(other)).toBe(200);
      const status = await new Promise((resolve, reject) => {
        const stream = session.request({ ':path': '/metrics' });
        stream.on('response', (headers) => {
          resolve(headers[':status']);
        });
        stream.on('error', reject);
        stream.resume();
      });
      expect(status).toBe(200);
      const socket = await poll('the kept connection', () => kept[0]);
      const closed = (emitter: NodeJS.EventEmitter): Promise<number> =>
        new Promise((resolve) => {
          emitter.once('close', () => {
            resolve(performance.now());
          });
        });
      const ends = Promise.all([closed(socket), closed(session)]);

      await pki('revoke', 'leaver', '--reason=keyCompromise');
      const revokedAt = performance.now();
      for (const end of await ends) expect(end - revokedAt).toBeLessThan(SHUT_OUT_MS);
      expect(await askOn(agent)).toMatch(/ECONNRESET|EPIPE|socket hang up/);
      expect(await askOn(other)).toBe(200);
      expect((await curl(...client('leaver'), `${gate.url}/metrics`)).status).toBe(0);
      expect(await gate.metrics()).toMatch(/promgate_refused_total\{reason="certificate_revoked"\} [1-9]/);
    } finally {
      agent.destroy();
      other.destroy();
      session.destroy();
    }
  });

  it('is listed', async () => {
    const listed = JSON.parse(await pki('list', '--output=json')) as {
      certificates: { name: string; state: string }[];
    };
    const states = Object.fromEntries(listed.certificates.map(({ name, state }) => [name, state]));
    expect(states).toMatchObject({ leaver: 'revoked', central: 'valid', localhost: 'valid' });
  });
});

describe('identities by public key', () => {
  it('take the key that was pinned, also after a renewal, and no other one of that name', async () => {
    const printed = await pki('issue', 'client', 'pinned');
    const pin = /spki: (sha256\/\S+)/.exec(printed)?.[1] ?? '';
    const file = join(gate.directory, 'promgate.yml');
    const before = readFileSync(file, 'utf8');
    await writeFile(file, `${before}\nidentities:\n  - {name: centre, certificates: [{spki: "${pin}"}]}\n`);
    expect(await gate.command('reload')).toMatchObject({ code: 0 });
    const ask = async (name: string) => (await curl(...client(name), `${gate.url}/metrics`)).status;
    expect(await ask('pinned')).toBe(200);
    expect(await ask('central')).toBe(403);
    await pki('renew', 'pinned');
    expect(await ask('pinned')).toBe(200);
    await pki('renew', 'pinned', '--new-key');
    expect(await ask('pinned')).toBe(403);
    await writeFile(file, before);
  });
});

describe('a gate that promgate init made', () => {
  let folder: string;
  let port: number;
  const started: RunningProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'promgate-init-pki-'));
    expect(await promgateInit(folder)).toMatchObject({ code: 0 });
    const adminPort = await freePort();
    port = await freePort();
    await appendFile(join(folder, 'promgate.yml'), `admin_address: 127.0.0.1:${adminPort}\n`);
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((child) => child.stop()));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function start(): Promise<RunningProcess> {
    const running = startProcess(process.execPath, [MAIN, 'run', `--web.listen-address=127.0.0.1:${port}`], {
      cwd: folder,
    });
    started.push(running);
    await poll('the gate is ready', async () => {
      if (running.exit() !== null) throw new Error(running.output());
      return (await promgate(['healthcheck'], { cwd: folder })).code === 0;
    });
    return running;
  }
  const ask = async (): Promise<number> => {
    const own = (name: string): string => join(folder, 'certs', name);
    const words = ['--cacert', own('ca.crt'), '--cert', own('prometheus.crt'), '--key', own('prometheus.key')];
    const hasPrefix = readFileSync(join(folder, 'promgate.yml'), 'utf8').includes('path_prefix: /promgate');
    return (await curl(...words, `https://localhost:${port}${hasPrefix ? '/promgate' : ''}/metrics`)).status;
  };

  it('lets its client in at once after a start with a list that expired while it was off', async () => {
    const lines = ['[ca]', 'default_ca=x', '[x]', 'database=index.txt', 'crlnumber=number', '[e]'];
    await writeFile(join(folder, 'openssl.cnf'), [...lines, 'authorityKeyIdentifier=keyid', ''].join('\n'));
    await writeFile(join(folder, 'index.txt'), '');
    await writeFile(join(folder, 'number'), '01\n');
    const dates = ['-crl_lastupdate', '20240101000000Z', '-crl_nextupdate', '20240131000000Z'];
    const files = ['-cert', 'certs/ca.crt', '-keyfile', 'certs/ca.key', '-out', 'certs/ca.crl'];
    const argv = ['ca', '-gencrl', '-config', 'openssl.cnf', '-crlexts', 'e', '-md', 'sha256', ...dates, ...files];
    expect(await runProcess('openssl', argv, { cwd: folder })).toMatchObject({ code: 0 });
    const running = await start();
    expect(await ask()).toBe(200);
    expect(running.output()).toContain('renewed the revocation list');
  });

  it('shuts out whom promgate pki revoke names', async () => {
    await start();
    expect(await ask()).toBe(200);
    expect(await promgate(['pki', 'revoke', 'prometheus'], { cwd: folder })).toMatchObject({ code: 0 });
    await poll('the holder is shut out', async () => (await ask()) !== 200, { deadlineMs: SHUT_OUT_MS, everyMs: 100 });
  });
});
