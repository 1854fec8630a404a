/**
 * The CA of a running gate is replaced while a real Prometheus and a scraper of our own ask it every second, over a
 * connection that is kept and over new ones: no scrape is lost from the first step to the last.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthorityHost } from '../support/authority-host.ts';
import type { AuthorityHost } from '../support/authority-host.ts';
import { promgate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { startNodeExporter } from '../support/node-exporter.ts';
import type { NodeExporter } from '../support/node-exporter.ts';
import { poll } from '../support/poll.ts';
import type { Finished } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

let host: AuthorityHost;
let upstream: NodeExporter;
let gate: Gate;
let prometheus: Prometheus;

const certs = (name: string): string => host.certs(name);

async function pki(...argv: readonly string[]): Promise<Finished> {
  return promgate(['pki', ...argv], { cwd: host.directory });
}

async function done(...argv: readonly string[]): Promise<string> {
  const finished = await pki(...argv);
  if (finished.code !== 0) throw new Error(finished.stdout + finished.stderr);
  return finished.stdout + finished.stderr;
}

/** One connection with the certificate of the first day. */
async function openForLong(): Promise<{ ask(): Promise<string>; sockets: Set<unknown>; end(): void }> {
  const names = ['ca.crt', 'central.crt', 'central.key'];
  const [ca = '', cert = '', key = ''] = await Promise.all(names.map((name) => readFile(certs(name), 'utf8')));
  const agent = new Agent({ ca, cert, key, keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  return {
    ask: () => scrape(agent, sockets),
    sockets,
    end: () => {
      agent.destroy();
    },
  };
}

function scrape(agent: Agent, sockets = new Set<unknown>()): Promise<string> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', servername: 'localhost', port: gate.port, path: '/metrics', agent };
    const request = get(options, (response) => {
      response.resume();
      response.on('end', () => {
        resolve(String(response.statusCode));
      });
    });
    request.on('socket', (socket) => sockets.add(socket));
    request.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
  });
}

/** Reads its files for every scrape, as a Prometheus does; a kept connection stays for as long as its files. */
class Scraper {
  readonly outcomes: string[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #waiting = new Set<Promise<void>>();
  #kept: { files: string; agent: Agent } | null = null;

  constructor() {
    this.#timer = setInterval(() => {
      for (const keepAlive of [true, false]) {
        const scrape = this.#scrape(keepAlive).then((outcome) => {
          this.outcomes.push(outcome);
          this.#waiting.delete(scrape);
        });
        this.#waiting.add(scrape);
      }
    }, 1000);
  }

  async #scrape(keepAlive: boolean): Promise<string> {
    const names = ['ca.crt', 'central.crt', 'central.key'];
    const [ca = '', cert = '', key = ''] = await Promise.all(names.map((name) => readFile(certs(name), 'utf8')));
    const agent = keepAlive ? this.#keptAgent({ ca, cert, key }) : new Agent({ ca, cert, key });
    const outcome = await scrape(agent);
    if (!keepAlive) agent.destroy();
    return outcome;
  }

  /** A new one for new files: the old connection is left to its end. */
  #keptAgent(files: { ca: string; cert: string; key: string }): Agent {
    const text = JSON.stringify(files);
    if (this.#kept?.files === text) return this.#kept.agent;
    this.#kept?.agent.destroy();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...files });
    this.#kept = { files: text, agent };
    return agent;
  }

  async more(count: number): Promise<void> {
    const wanted = this.outcomes.length + count;
    await poll('more scrapes', () => this.outcomes.length >= wanted, { deadlineMs: 30_000 });
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#waiting);
    this.#kept?.agent.destroy();
  }
}

beforeAll(async () => {
  host = await createAuthorityHost();
  const tlsConfig = await host.pki('issue', 'client', 'central');
  upstream = await startNodeExporter();
  gate = await host.startGate(`upstreams: [{url: "${upstream.url}", kind: exporter}]`);
  const indented = tlsConfig.trim().replace(/^/gm, '    ');
  prometheus = await startPrometheus({
    scrapeConfigs: `  - job_name: site\n    scrape_interval: 1s\n    scheme: https\n${indented}\n    static_configs: [{targets: ["127.0.0.1:${gate.port}"]}]`,
  });
});
afterAll(async () => {
  await prometheus.stop();
  await gate.stop();
  await upstream.stop();
  await host.remove();
});

describe('pki rotate', () => {
  it('loses no scrape from the first step to the last', async () => {
    await prometheus.waitFor('up{job="site"} == 1');
    const from = Date.now();
    const scraper = new Scraper();
    const old = await openForLong();
    const admin = `--admin=127.0.0.1:${gate.adminPort}`;
    try {
      await scraper.more(4);
      expect(await old.ask()).toBe('200');
      expect(await done('rotate')).toContain('promgate CA fleet G2, until');
      await scraper.more(4);
      expect(await old.ask()).toBe('200');

      const before = await readFile(certs('central.crt'), 'utf8');
      const reissued = await done('rotate', '--reissue', admin);
      expect(reissued).toMatch(/"central": certs\/central\.crt, serial [0-9A-F]+, a new key, sha256/);
      expect(reissued).toContain('"localhost": certs/localhost.crt');
      expect(await readFile(certs('central.crt'), 'utf8')).not.toBe(before);
      await scraper.more(4);
      const listed = await done('list');
      expect(listed).toMatch(/^central +client +promgate CA fleet +.* valid /m);
      expect(listed).toMatch(/^central +client +promgate CA fleet G2 +.* valid /m);

      const early = await pki('rotate', '--finish', admin);
      expect(early.code).toBe(1);
      expect(early.stderr).toMatch(
        /error: the gate at 127\.0\.0\.1:\d+ saw a client certificate of the old CA \d+ s ago: "central" from "127\.0\.0\.1"/,
      );
      await scraper.more(4);
      expect(await old.ask()).toBe('200');
      expect(old.sockets.size).toBe(1);

      await done('rotate', '--finish', '--force');
      await scraper.more(6);
      expect(await old.ask()).not.toBe('200');
      expect(await done('list')).toMatch(/^central +client +\(gone\) +.* untrusted /m);
    } finally {
      old.end();
      await scraper.stop();
    }
    expect(scraper.outcomes.filter((outcome) => outcome !== '200')).toEqual([]);
    const seconds = Math.floor((Date.now() - from) / 1000);
    const [{ value: lowest } = { value: '' }] = await prometheus.query(`min_over_time(up{job="site"}[${seconds}s])`);
    expect(lowest).toBe('1');
    const [{ value: count } = { value: '0' }] = await prometheus.query(`count_over_time(up{job="site"}[${seconds}s])`);
    expect(Number(count)).toBeGreaterThan(seconds / 2);
  });

  it('leaves nothing of the old CA behind, and the gate refuses what it had issued', async () => {
    const ca = await readFile(certs('ca.crt'), 'utf8');
    expect(ca.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    expect((await readFile(certs('ca.key'), 'utf8')).match(/BEGIN PRIVATE KEY/g)).toHaveLength(1);
    expect((await readFile(certs('ca.crl'), 'utf8')).match(/BEGIN X509 CRL/g)).toHaveLength(1);
    const answer = await fetch(`${gate.adminUrl}/api/client-cas`);
    const { client_cas: cas } = (await answer.json()) as { client_cas: { subject: string; last: { name: string } }[] };
    expect(cas).toMatchObject([{ subject: 'O=promgate, CN=promgate CA fleet G2', last: { name: 'central' } }]);
  });
});

describe('a gate with a copy of ca.crt', () => {
  it('holds the second step up until it has the new CA', async () => {
    const copy = join(host.directory, 'copy.crt');
    await writeFile(copy, await readFile(certs('ca.crt'), 'utf8'));
    const file = join(gate.directory, 'promgate.yml');
    const before = await readFile(file, 'utf8');
    const text = before.replace(certs('ca.crt'), copy).replace(/\n {2}client_crl_files.*/, '');
    await writeFile(file, text);
    expect(await gate.command('reload')).toMatchObject({ code: 0 });
    const admin = `--admin=127.0.0.1:${gate.adminPort}`;
    await done('rotate');
    const refused = await pki('rotate', '--reissue', admin);
    expect(refused.stderr).toContain(`the gate at 127.0.0.1:${gate.adminPort} does not trust the new CA yet`);
    expect(refused.code).toBe(1);
    expect(await done('list')).not.toMatch(/^central +client +promgate CA fleet G3/m);
    await writeFile(copy, await readFile(certs('ca.crt'), 'utf8'));
    await done('rotate', '--reissue', admin);
    expect(await done('list')).toMatch(/^central +client +promgate CA fleet G3/m);
  });
});
