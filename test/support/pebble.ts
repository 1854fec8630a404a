/** A real Pebble, the ACME CA that is made for tests, on free ports of 127.0.0.1, with a DNS server of its own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { AcmeDirectory } from '../../src/tls/acme/contract.ts';
import { createAuthority } from './certificates.ts';
import { startDnsResponder, type DnsResponder } from './dns-responder.ts';
import { freePort } from './free-port.ts';
import { poll } from './poll.ts';
import { startProcess, type RunningProcess } from './processes.ts';
import { newestProgram } from './programs.ts';

export interface PebbleOptions {
  /** Percent of good nonces that are refused; Pebble's own default is 5. */
  readonly nonceReject?: number;
  /** Key id → HMAC key (base64url): accounts are bound to one of them. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
  /** Profile → seconds that its certificates live. Default: `default` (90 days) and `shortlived` (6 days). */
  readonly profiles?: Readonly<Record<string, number>>;
}

export interface Pebble {
  /** What a client needs to know of it. */
  readonly directory: AcmeDirectory;
  /** The port where it looks for http-01, and for tls-alpn-01. */
  readonly httpPort: number;
  readonly tlsPort: number;
  readonly dns: DnsResponder;
  readonly process: RunningProcess;
  /** PEM of the root that its certificates lead to; another one after each start. */
  root(): Promise<string>;
  /** Loses accounts, orders and certificates, as a CA never should; everything else stays. */
  restart(): Promise<void>;
  /** Sets the renewal information that it gives about a certificate (PEM). */
  setRenewalInfo(cert: string, answer: object): Promise<void>;
  stop(): Promise<void>;
}

export async function startPebble(options: PebbleOptions = {}): Promise<Pebble> {
  const { nonceReject = 50, externalAccounts, profiles = { default: 7_776_000, shortlived: 518_400 } } = options;
  const directory = await mkdtemp(join(tmpdir(), 'promgate-pebble-'));
  const authority = createAuthority('Pebble TLS');
  const { certFile, keyFile } = authority.issue({ name: 'localhost', sans: ['DNS:localhost', 'IP:127.0.0.1'] });
  const dns = await startDnsResponder();
  const [port, managementPort, httpPort, tlsPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const url = `https://127.0.0.1:${port}/dir`;
  const management = `https://127.0.0.1:${managementPort}`;
  const configFile = join(directory, 'pebble.json');
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: certFile,
    privateKey: keyFile,
    httpPort,
    tlsPort,
    ocspResponderURL: '',
    externalAccountBindingRequired: externalAccounts !== undefined,
    ...(externalAccounts === undefined ? {} : { externalAccountMACKeys: externalAccounts }),
    retryAfter: { authz: 1, order: 1 },
    keyAlgorithm: 'ecdsa',
    profiles: Object.fromEntries(
      Object.entries(profiles).map(([name, validityPeriod]) => [name, { description: name, validityPeriod }]),
    ),
  };
  await writeFile(configFile, JSON.stringify({ pebble }));
  const agent = new Agent({ connect: { ca: authority.cert } });
  const ask = async (address: string, body?: object): Promise<string> => {
    const response = await request(address, {
      dispatcher: agent,
      signal: AbortSignal.timeout(5_000),
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'user-agent': 'test' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${address} answered ${response.statusCode}: ${text}`);
    return text;
  };
  const start = async (): Promise<RunningProcess> => {
    const started = startProcess(
      newestProgram('pebble'),
      ['-config', configFile, '-dnsserver', `127.0.0.1:${dns.port}`],
      {
        environment: {
          PEBBLE_WFE_NONCEREJECT: String(nonceReject),
          PEBBLE_VA_NOSLEEP: '1',
          // A validation of the past must not make the next one needless.
          PEBBLE_AUTHZREUSE: '0',
        },
      },
    );
    const isReady = async (): Promise<boolean> => {
      if (started.exit() !== null) throw new Error(started.output());
      return (await ask(url)) !== '';
    };
    await poll('Pebble answers', isReady, { deadlineMs: 30_000 }).catch(async (error: unknown) => {
      await started.kill();
      throw error;
    });
    return started;
  };
  let server = await start();

  return {
    directory: { url, name: 'pebble', ca: authority.cert, externalAccount: null },
    httpPort,
    tlsPort,
    dns,
    get process() {
      return server;
    },
    root: () => ask(`${management}/roots/0`),
    async restart() {
      await server.kill();
      server = await start();
    },
    async setRenewalInfo(cert, answer) {
      await ask(`${management}/set-renewal-info/`, { certificate: cert, ariResponse: JSON.stringify(answer) });
    },
    async stop() {
      await server.kill();
      await agent.destroy();
      await dns.close();
      authority.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
