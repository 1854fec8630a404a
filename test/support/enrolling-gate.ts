/**
 * A gate of this process whose own CA hands out certificates: listener, steps and enroller wired as `run` wires them,
 * on real sockets, with a clock that can be moved on.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createListener } from '../../src/listen/listener.ts';
import { noMetrics } from '../../src/observe/ports.ts';
import { mayConnect } from '../../src/request/accept/addresses.ts';
import { createHostNames } from '../../src/request/accept/host-names.ts';
import { createAppSwitch } from '../../src/request/app-switch.ts';
import { connectionVerdict } from '../../src/request/authenticate/client-certificate.ts';
import { createPasswordCheck } from '../../src/request/authenticate/password-check.ts';
import { ENROLLMENT_PATH } from '../../src/request/enrollment.ts';
import { createUpstreamPools } from '../../src/request/forward/pools.ts';
import { createScrapes } from '../../src/request/forward/scrape/scrapes.ts';
import { rawRefusal } from '../../src/request/respond/refusal.ts';
import { describe } from '../../src/cli/pki/issued-files.ts';
import { authorityPaths, recordIssued } from '../../src/tls/authority/authority-directory.ts';
import { createCa } from '../../src/tls/authority/certificate-authority.ts';
import { createEnroller } from '../../src/tls/authority/enroller.ts';
import type { Enroller } from '../../src/tls/authority/enroller.ts';
import { addToken, createToken } from '../../src/tls/authority/enrollment-tokens.ts';
import type { Purpose } from '../../src/tls/authority/enrollment-tokens.ts';
import { issueClient, issueServer } from '../../src/tls/authority/issue.ts';
import { generateKey } from '../../src/tls/authority/keys.ts';
import type { CertificateAndKey } from '../../src/tls/authority/keys.ts';
import { createSigningRequest } from '../../src/tls/authority/new-request.ts';
import { secureContextOptions } from '../../src/tls/secure-context.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { htpasswdLine } from './scene.ts';
import { shiftedClock } from '../request/authenticate/fixtures.ts';

export interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly client?: CertificateAndKey;
  /** An address of 127.0.0.0/8 to come from. */
  readonly from?: string;
}

export interface Answered {
  /** 0: the connection was closed without an answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface TokenBinding {
  readonly minutes?: number;
  readonly days?: number;
  readonly purpose?: Purpose;
}

export interface EnrollingGate {
  readonly directory: string;
  readonly port: number;
  readonly ca: CertificateAndKey;
  readonly enroller: Enroller;
  readonly log: ReturnType<typeof recordingLog>;
  /** Reasons of refusals, oldest first. */
  readonly refusals: string[];
  /** Moves the clock of the gate on. */
  advance(ms: number): void;
  now(): number;
  path(name: string): string;
  text(name: string): string;
  /** A token that the gate knows of. */
  token(name: string, binding?: TokenBinding): Promise<string>;
  /** A client certificate that the gate trusts. */
  client(name: string, days?: number): Promise<CertificateAndKey>;
  /** A server certificate that the CA has issued and noted, for NAME.example.com. */
  server(name: string, days?: number): Promise<CertificateAndKey>;
  ask(asked: Asked): Promise<Answered>;
  /** Takes another configuration into force; `tls` is put beside what the section has. */
  reload(yaml: string, tls?: string): Promise<void>;
  close(): Promise<void>;
}

export const USER = 'prom';
export const PASSWORD = 'correct horse battery staple';

/** A certificate request for a new key, and the key. */
export async function newRequest(name = 'x'): Promise<{ readonly key: string; readonly request: string }> {
  const key = generateKey();
  return { key, request: await createSigningRequest(key, name) };
}

/**
 * @param yaml what stands beside TLS, users and the listen address; `authenticate` and `enrollment` at least.
 * @param beside PEM of other CAs that the gate trusts, in the same file as its own.
 */
export async function startEnrollingGate(yaml: string, beside = ''): Promise<EnrollingGate> {
  const directory = mkdtempSync(join(tmpdir(), 'promgate-enrolling-'));
  const path = (name: string): string => join(directory, name);
  const clock = shiftedClock(systemClock);
  const ca = await createCa({ name: 'test', now: clock.now() });
  const server = await issueServer({ ca, names: ['localhost', '127.0.0.1'], now: clock.now() });
  mkdirSync(path('certs'));
  const files = {
    'certs/ca.crt': ca.cert + beside,
    'certs/ca.key': ca.key,
    'server.crt': server.cert,
    'server.key': server.key,
  };
  for (const [name, content] of Object.entries({ ...files, htpasswd: await htpasswdLine(USER, PASSWORD) })) {
    writeFileSync(path(name), content, { mode: 0o600 });
  }
  const configure = (text: string, tls = ''): void => {
    writeFileSync(
      path('promgate.yml'),
      `listen_addresses: ["127.0.0.1:0"]
admin_address: off
tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: certs/ca.crt, ${tls}}
upstreams: [{url: self}]
${text}
`,
    );
  };
  configure(yaml);
  const loaded = await loadConfig(path('promgate.yml'), { generation: 1 });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  let { config } = loaded;

  const log = recordingLog();
  const refusals: string[] = [];
  const metrics = { ...noMetrics, refused: (reason: string) => void refusals.push(reason) };
  const hosts = createHostNames({ resolve: () => Promise.resolve([]), clock, log, metrics, onChange: () => undefined });
  const passwordCheck = createPasswordCheck({ log, metrics, clock });
  const pools = createUpstreamPools({
    metrics,
    clock,
    lookup: (_host, _options, callback) => callback(new Error('no DNS'), ''),
  });
  const enroller = createEnroller({
    clock,
    log,
    metrics: { enrollmentOpen: () => undefined, certificateIssued: () => undefined },
    onChange: () => {
      listener.apply(config);
    },
  });
  const apps = createAppSwitch({
    clock,
    log,
    metrics,
    hosts,
    passwordCheck,
    enrollment: enroller,
    pools,
    scrapes: createScrapes({ clock }),
    self: (_question, answer) => {
      answer.open(200, { 'content-length': '3' });
      answer.write(Buffer.from('ok\n'));
      answer.end();
    },
  });
  const listener = createListener({
    log,
    metrics,
    clock,
    mayConnect: (address) => (mayConnect(address, config.access, hosts) ? null : 'address_denied'),
    judge: (facts) => connectionVerdict(facts, config, clock.now(), enroller.isOpen()),
    handle: apps.handle,
    secureContextOptions,
    rawRefusal: (reason) => rawRefusal(config, reason),
  });
  (await apps.prepare(config)).takeOver();
  passwordCheck.applied(config);
  await listener.listen(config);
  enroller.follow(config.enrollment);
  await enroller.look();
  const port = listener.addresses()[0]?.port ?? 0;

  return {
    directory,
    port,
    ca,
    enroller,
    log,
    refusals,
    advance: (ms) => {
      clock.advance(ms);
    },
    now: () => clock.now(),
    path,
    text: (name) => readFileSync(path(name), 'utf8'),
    async token(name, { minutes = 15, days = 90, purpose = 'clientAuth' } = {}) {
      const sans = [{ type: 'dns' as const, value: `${name}.example.com` }];
      const { text, token } = createToken({ name, sans, days, minutes, purpose, now: clock.now() });
      await addToken(authorityPaths(path('certs')), clock, token);
      await enroller.look();
      return text;
    },
    client: (name, days = 90) =>
      issueClient({ ca, name, sans: [{ type: 'dns', value: `${name}.example.com` }], days, now: clock.now() }),
    async server(name, days = 90) {
      const made = await issueServer({ ca, names: [`${name}.example.com`], days, now: clock.now() });
      await recordIssued(authorityPaths(path('certs')), clock, describe(made.cert, name, 'server'));
      return made;
    },
    ask: (asked) => ask(port, ca.cert, asked),
    async reload(text, tls) {
      configure(text, tls);
      const again = await loadConfig(path('promgate.yml'), { generation: config.generation + 1 });
      if (!again.ok) throw new Error(JSON.stringify(again.problems));
      const app = await apps.prepare(again.config);
      config = again.config;
      listener.apply(config);
      app.takeOver();
      enroller.follow(config.enrollment);
    },
    async close() {
      enroller.close();
      await listener.close();
      await apps.close();
      await pools.close();
      await passwordCheck.close();
      hosts.close();
      rmSync(directory, { recursive: true });
    },
  };
}

function ask(port: number, ca: string, asked: Asked): Promise<Answered> {
  const { path = ENROLLMENT_PATH, method = 'POST', token, headers = {}, body, client, from } = asked;
  return new Promise((resolve) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        ca,
        ...client,
        path,
        method,
        agent: false,
        ...(from === undefined ? {} : { localAddress: from }),
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('latin1');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('close', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      },
    );
    request.on('error', () => {
      resolve({ status: 0, headers: {}, body: '' });
    });
    request.end(body);
  });
}
