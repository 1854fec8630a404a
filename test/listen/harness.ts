/** A listener on loopback with everything it says and asks written down. Tests change the answers while it runs. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Config, ClientAuthType, KeyPair, Limits, Tls } from '../../src/config/config.ts';
import { parseCrls } from '../../src/formats/crl.ts';
import { parseCertificates } from '../../src/formats/x509.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createListener, type Listener, type ListenPorts } from '../../src/listen/listener.ts';
import type { RawRequest, RawResponse } from '../../src/listen/ports.ts';
import { noMetrics } from '../../src/observe/ports.ts';
import { arrivalOf, type Arrival } from '../../src/request/arrival.ts';
import type { ConnectionFacts } from '../../src/request/connection.ts';
import type { DenyReason } from '../../src/request/deny-reasons.ts';
import { secureContextOptions } from '../../src/tls/secure-context.ts';
import { configOf as wholeConfigOf, LIMITS as DEFAULT_LIMITS } from '../support/config-fixture.ts';

export const LIMITS: Limits = { ...DEFAULT_LIMITS, connections: 100, connectionsPerAddress: 50 };

/** A whole configuration in which only what listen/ reads has a meaning. */
export function configOf(changes: Partial<Config> = {}): Config {
  return wholeConfigOf({
    listen: [{ kind: 'tcp', host: '127.0.0.1', port: 0, text: '127.0.0.1:0' }],
    limits: LIMITS,
    upstreams: [],
    admin: { address: { kind: 'off' }, hosts: new Set() },
    ...changes,
  });
}

export function keyPairOf({ cert, key }: { readonly cert: string; readonly key: string }): KeyPair {
  const parsed = parseCertificates(cert);
  if (!parsed.ok) throw new Error(parsed.message);
  const [leaf] = parsed.value;
  const { sans, notBefore, notAfter, serial, issuer, keyType } = leaf!;
  return { cert, key, name: 'test', names: [...sans.dns, ...sans.ip], notBefore, notAfter, serial, issuer, keyType };
}

export interface TlsChanges {
  readonly type?: ClientAuthType;
  readonly ca?: readonly string[];
  readonly crl?: string;
  readonly settings?: Partial<Tls['settings']>;
}

export function tlsOf(
  pairs: readonly { readonly cert: string; readonly key: string }[],
  changes: TlsChanges = {},
): Tls {
  const { type = 'NoClientCert', ca = [], crl, settings } = changes;
  const crls = crl === undefined ? undefined : parseCrls(crl);
  if (crls?.ok === false) throw new Error(crls.message);
  const fingerprints = ca.flatMap((pem) => {
    const parsed = parseCertificates(pem);
    return parsed.ok ? parsed.value.map(({ fingerprint }) => fingerprint) : [];
  });
  return {
    settings: {
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers: null,
      curves: null,
      preferServerCiphers: true,
      ...settings,
    },
    certificates: pairs.map(keyPairOf),
    trust: {
      type,
      ca,
      caFingerprints: new Set(fingerprints),
      crls: crls?.value ?? [],
      crlOnExpiry: 'deny',
      allowedSans: [],
    },
  };
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export interface Rig {
  readonly listener: Listener;
  readonly port: number;
  readonly lines: readonly LogLine[];
  /** Reasons in the order in which they were counted. */
  readonly refused: readonly DenyReason[];
  readonly facts: readonly ConnectionFacts[];
  readonly arrivals: readonly Arrival[];
  readonly requests: readonly RawRequest[];
  /** Opened minus closed. */
  live(): number;
  /** Changed by tests while it runs. */
  answers: {
    mayConnect: ListenPorts['mayConnect'];
    judge: ListenPorts['judge'];
    challenge: NonNullable<ListenPorts['challenge']>;
    handle(request: RawRequest, response: RawResponse, arrival: Arrival): void;
  };
  /** Every reason that was counted must have its log line. */
  unlogged(): readonly DenyReason[];
}

export const RAW_REFUSAL =
  'HTTP/1.1 400 Bad Request\r\nx-configured: yes\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';

export async function startRig(config: Config, clock: Clock = systemClock): Promise<Rig> {
  const lines: LogLine[] = [];
  const refused: DenyReason[] = [];
  const facts: ConnectionFacts[] = [];
  const arrivals: Arrival[] = [];
  const requests: RawRequest[] = [];
  let live = 0;
  const line = (level: LogLine['level']) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Record<string, unknown>, message });
  };
  const answers: Rig['answers'] = {
    mayConnect: () => null,
    judge: () => null,
    challenge: () => null,
    handle: (_request, response) => {
      response.end('ok');
    },
  };
  const listener = createListener({
    clock,
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    metrics: {
      ...noMetrics,
      refused: (reason) => {
        refused.push(reason);
      },
      connectionOpened: () => {
        live += 1;
      },
      connectionClosed: () => {
        live -= 1;
      },
    },
    secureContextOptions,
    mayConnect: (address) => answers.mayConnect(address),
    judge: (shown) => {
      facts.push(shown);
      return answers.judge(shown);
    },
    handle: (request, response) => {
      const arrival = arrivalOf(request);
      requests.push(request);
      arrivals.push(arrival);
      answers.handle(request, response, arrival);
    },
    rawRefusal: () => Buffer.from(RAW_REFUSAL),
    challenge: () => answers.challenge(),
  });
  await listener.listen(config);
  return {
    listener,
    port: listener.addresses()[0]!.port,
    lines,
    refused,
    facts,
    arrivals,
    requests,
    live: () => live,
    answers,
    unlogged: () => {
      const logged = lines.map(({ fields }) => fields['reason']);
      return refused.filter((reason) => !logged.includes(reason));
    },
  };
}

export interface Client<S extends Socket = Socket> {
  readonly socket: S;
  /** Everything received so far, as latin1. */
  received(): string;
  readonly closed: Promise<void>;
  isClosed(): boolean;
}

function watched<S extends Socket>(socket: S): Client<S> {
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      resolve();
    });
  });
  return { socket, received: () => text, closed, isClosed: () => isClosed };
}

export async function dialTcp(port: number, options: { host?: string; localAddress?: string } = {}): Promise<Client> {
  const client = watched(connectTcp({ port, host: '127.0.0.1', ...options }));
  await Promise.race([once(client.socket, 'connect'), client.closed]);
  return client;
}

/** A TLS client; resolves when its side of the handshake is over or has failed. */
export async function dialTls(port: number, options: ConnectionOptions = {}): Promise<Client<TLSSocket>> {
  const client = watched(
    connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...options }),
  );
  await Promise.race([once(client.socket, 'secureConnect').catch(() => undefined), client.closed]);
  return client;
}

export const GET = 'GET / HTTP/1.1\r\nHost: gate\r\n\r\n';

/** Frames as a hostile client writes them (RFC 9113 §4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** HPACK (RFC 7541): `:method GET`, `:scheme https`, `:path /` indexed, `:authority gate` as a literal. */
export const GET_HEADERS = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x41, 4]), Buffer.from('gate')]);
