/** What the listener needs and what it offers. The composition root supplies the ports; nothing here knows of users. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { SecureContextOptions } from 'node:tls';
import type { Config, KeyPair, Tls } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log, Metrics } from '../observe/ports.ts';
import type { ConnectionFacts } from '../request/connection.ts';
import type { DenyReason } from '../request/deny-reasons.ts';

export type RawRequest = IncomingMessage | Http2ServerRequest;
export type RawResponse = ServerResponse | Http2ServerResponse;

/** Answers tls-alpn-01 (RFC 8737) in place of the gate; tls/acme has one. */
export interface TlsChallenge {
  /** Connections are looked at only then. */
  isPending(): boolean;
  /** Takes over a connection whose ClientHello is still unread, and ends it. */
  serve(socket: Socket, servername: string): void;
}

/** A socket that listens already, held by systemd. */
export interface InheritedSocket {
  readonly fd: number;
  /** As its unit calls it, for messages. */
  readonly name: string;
}

export interface ListenPorts {
  /** They take the place of the addresses of `listen_addresses` that are theirs. */
  readonly inherited?: readonly InheritedSocket[];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** May this address (normalised) open a connection? Asked before TLS, after it, and again while it lives. */
  mayConnect(address: string): DenyReason | null;
  /** May this connection live? Asked after the handshake, before one byte of HTTP, and again while it lives. */
  judge(facts: ConnectionFacts): DenyReason | null;
  /** tls/secure-context.ts: the one maker of secure contexts. */
  secureContextOptions(pair: KeyPair, tls: Tls): SecureContextOptions;
  /** The current app's handler. An arrival is attached to every request. */
  handle(request: RawRequest, response: RawResponse): void;
  /** A whole HTTP/1.1 answer with the configured headers and `Connection: close`, for what the parser refused. */
  rawRefusal(reason: DenyReason): Buffer;
  /** null: no name is proved by tls-alpn-01. */
  challenge?(): TlsChallenge | null;
}

export interface BoundAddress {
  /** An IP address, or `unix:/path`. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
}

export interface Listener {
  /** @throws PromgateError PORT_TAKEN or LISTEN_FAILED; nothing is open then. */
  listen(config: Config): Promise<void>;
  /**
   * New connections meet the new configuration; live ones are judged by it, and the ones that it would not admit leave.
   * The ports must answer by the new configuration already. With the running configuration it only judges again.
   * @throws Error when OpenSSL refuses certificate, key, CA or CRL; nothing has changed then.
   */
  apply(config: Config): void;
  addresses(): readonly BoundAddress[];
  /** Stops accepting, lets the answers in flight end within `ms`, then destroys what is left. */
  drain(ms: number): Promise<void>;
  /** Destroys everything at once. */
  close(): Promise<void>;
  /** Live connections, the ones in their handshake included. */
  connections(): number;
}
