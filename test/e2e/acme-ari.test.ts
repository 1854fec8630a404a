/**
 * A gate that starts while its CA is down obtains its certificate once the CA is there, and renews it because the CA says
 * so, long before the lifetime asks for it: through an outage of the CA, while a client holds a connection open, others
 * come and go, and a real Prometheus scrapes through it every second. Nobody notices.
 */
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { attempts, awaitIssued, httpChallenge, NAME, served, startAcmeGate, stateOf } from '../support/acme-gate.ts';
import { startCaRelay, type CaRelay } from '../support/ca-relay.ts';
import type { Gate } from '../support/gate.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { poll } from '../support/poll.ts';
import { startPrometheus, type Prometheus } from '../support/prometheus.ts';
import { PASSWORD, USER } from '../support/scene.ts';

/** Seconds. By its lifetime a certificate is due at half of it, and by ARI not before a quarter. */
const LIFETIME = 80;
const WINDOW = [LIFETIME / 4, LIFETIME / 4 + 2] as const;
const AUTHORIZATION = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
const WHY = "because the CA's renewal window (ARI) has come";

let pebble: Pebble;
let relay: CaRelay;
let gate: Gate;
let prometheus: Prometheus | undefined;

/** Tells Pebble when each certificate is to be renewed, before it answers the gate's question about it. */
async function suggestWindow(url: string): Promise<void> {
  const id = url.split('/').at(-1) ?? '';
  const serial = Buffer.from(id.split('.')[1] ?? '', 'base64url')
    .toString('hex')
    .toUpperCase();
  for (const content of (await stateOf(gate)).values()) {
    const { cert } = JSON.parse(content) as { cert?: string };
    if (cert === undefined) continue;
    const leaf = new X509Certificate(cert);
    if (leaf.serialNumber.replace(/^0+/, '') !== serial.replace(/^0+/, '')) continue;
    const begin = Date.parse(leaf.validFrom);
    const [start, end] = WINDOW.map((seconds) => new Date(begin + seconds * 1000).toISOString());
    await pebble.setRenewalInfo(cert, { suggestedWindow: { start, end }, explanationURL: 'https://ca.example/why' });
    return;
  }
  throw new Error(`the gate asks about a certificate that it does not have: ${url}`);
}

beforeAll(async () => {
  pebble = await startPebble({ profiles: { short: LIFETIME } });
  relay = await startCaRelay(pebble.directory);
  relay.intercept(async ({ url = '' }) => {
    if (url.includes('/renewalInfo/')) await suggestWindow(url);
    return false;
  });
  await pebble.process.kill();
  gate = await startAcmeGate({
    directory: relay.directory,
    challenge: httpChallenge(pebble.httpPort),
    profile: 'short',
    yaml: 'htpasswd_file: .htpasswd',
  });
});
afterAll(async () => {
  await prometheus?.stop();
  await gate.stop();
  await relay.close();
  await pebble.stop();
});

it('starts while the CA is down, and obtains its certificate soon after the CA is there', async () => {
  await poll('an attempt has failed', async () => (await attempts(gate, 'unreachable')) > 0, { deadlineMs: 20_000 });
  expect((await served(gate.port)).issuer).toContain('self-signed');
  expect(await gate.metrics()).toContain(`promgate_acme_self_signed{name="${NAME}"} 1`);
  await pebble.restart();
  const certificate = await awaitIssued(gate);
  expect(certificate.checkHost(NAME)).toBe(NAME);
  expect(await gate.metrics()).toContain(`promgate_acme_self_signed{name="${NAME}"} 0`);
  expect(gate.logs()).toMatch(/msg="certificate issued".*because="there is no certificate yet"/);
});

it('renews it because the CA says so, through an outage, and nobody loses a connection or a scrape', async () => {
  const first = await awaitIssued(gate);
  const begin = Date.parse(first.validFrom);
  const root = await pebble.root();
  const rootFile = join(gate.directory, 'root.crt');
  await writeFile(rootFile, root);
  prometheus = await startPrometheus({
    scrapeConfigs: `
- job_name: gate
  scrape_interval: 1s
  scrape_timeout: 1s
  scheme: https
  basic_auth: {username: ${USER}, password: ${PASSWORD}}
  tls_config: {ca_file: ${rootFile}, server_name: ${NAME}}
  static_configs: [{targets: ["127.0.0.1:${gate.port}"]}]
`,
  });
  await poll('the gate knows the window', () => gate.logs().includes('the CA suggests when to renew'));
  await relay.cut();

  const ask = (agent: Agent | false, sockets?: Set<unknown>): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = get(
        {
          host: '127.0.0.1',
          port: gate.port,
          path: '/metrics',
          servername: NAME,
          ca: root,
          agent,
          headers: { authorization: AUTHORIZATION },
        },
        (response) => {
          response.resume();
          response.on('end', () => {
            resolve(response.statusCode ?? 0);
          });
        },
      );
      request.on('socket', (socket) => sockets?.add(socket));
      request.on('error', reject);
    });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  expect(await ask(agent, sockets)).toBe(200);
  await prometheus.waitFor('up{job="gate"} == 1');
  const from = Date.now();

  const serials = new Set<string>();
  const newcomers: unknown[] = [];
  let isOver = false;
  const comeAndGo = (async () => {
    while (!isOver) {
      newcomers.push(await ask(false).catch((error: unknown) => error));
      serials.add((await served(gate.port)).serialNumber);
      await delay(100);
    }
  })();
  const before = await attempts(gate, 'unreachable');
  await poll('the renewal is due and fails', async () => (await attempts(gate, 'unreachable')) > before, {
    deadlineMs: 40_000,
  });
  // Half of the lifetime is not over: nothing but the window has asked for it.
  expect(Date.now()).toBeGreaterThan(begin + (WINDOW[0] - 1) * 1000);
  expect(Date.now()).toBeLessThan(begin + (LIFETIME / 2) * 1000);
  expect((await served(gate.port)).serialNumber).toBe(first.serialNumber);
  const waiting = await gate.command('cert', 'status');
  expect(waiting.stdout).toMatch(/last error .*ECONNREFUSED/);
  await relay.mend();
  const second = await awaitIssued(gate, first.serialNumber);

  expect(gate.logs()).toContain(`msg="certificate renewed"`);
  expect(gate.logs()).toMatch(/msg="certificate renewed".*because="the CA's renewal window \(ARI\) has come"/);
  expect(pebble.process.output()).toMatch(/is a replacement of/i);
  const status = await gate.command('cert', 'status');
  expect(status.stdout).toContain(`renewed ${WHY}`);
  const { certificates } = JSON.parse((await gate.command('cert', 'status', '--output=json')).stdout) as {
    certificates: { issued: { why: string }; last_error: unknown }[];
  };
  expect(certificates[0]).toMatchObject({ issued: { why: `renewed ${WHY}` }, last_error: null });

  expect(await ask(agent, sockets)).toBe(200);
  expect(sockets.size).toBe(1);
  agent.destroy();
  isOver = true;
  await comeAndGo;
  expect(newcomers.length).toBeGreaterThan(20);
  expect(newcomers.filter((status) => status !== 200)).toEqual([]);
  expect(serials).toEqual(new Set([first.serialNumber, second.serialNumber]));

  // Every scrape was made, and none failed.
  const seconds = Math.floor((Date.now() - from) / 1000);
  const [made] = await prometheus.query(`count_over_time(up{job="gate"}[${seconds}s])`);
  expect(Number(made?.value)).toBeGreaterThanOrEqual(seconds - 2);
  expect((await prometheus.query(`min_over_time(up{job="gate"}[${seconds}s])`))[0]?.value).toBe('1');
});
