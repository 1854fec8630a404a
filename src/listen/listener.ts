/**
 * From accepted sockets to parsed requests: address and limits before TLS, the handshake, the judgement of its facts,
 * then HTTP/1.1 or HTTP/2 by ALPN. It outlives every configuration, and knows nothing of users.
 */
import type { Server, Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { normalizeAddress } from '../formats/address-set.ts';
import type { ConnectionFacts, TlsFacts } from '../request/connection.ts';
import type { DenyReason } from '../request/deny-reasons.ts';
import { isSilent, type Accepted } from './accepted.ts';
import { Admission } from './admission.ts';
import { createArrivals } from './arrivals.ts';
import { Handshakes } from './handshakes.ts';
import { createHttp1Server, type Http1Server } from './http1-server.ts';
import { createHttp2Server, type Http2Server } from './http2-server.ts';
import { FirstBytes, isChallengeHello, type Seen } from './first-bytes.ts';
import { holdSocket } from './held-socket.ts';
import { endAndLinger } from './last-words.ts';
import { boundAddress, openAll } from './listen-sockets.ts';
import { FIRST_REQUEST_MS, LiveConnection } from './live-connection.ts';
import type { BoundAddress, Listener, ListenPorts, TlsChallenge } from './ports.ts';
import { certificateFields, createRefusalReport, PROXY_PROTOCOL, type ReportRefusal } from './refusal-report.ts';
import { Registry } from './registry.ts';
import { Strangers } from './strangers.ts';

export type { Listener, ListenPorts } from './ports.ts';

/** Whoever may open the socket's file is on this host; the rules see the connection as one from loopback. */
const UNIX_PEER = '127.0.0.1';

/** A request that is just on its way may still be answered. */
const GIVE_WAY_MS = 1_000;

export function createListener(ports: ListenPorts): Listener {
  return new SocketListener(ports);
}

class SocketListener implements Listener {
  readonly #ports: ListenPorts;
  readonly #report: ReportRefusal;
  readonly #admission = new Admission<Accepted>(isSilent);
  readonly #registry: Registry;
  readonly #firstBytes: FirstBytes;
  readonly #strangers: Strangers;
  readonly #handshakes: Handshakes;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  /** Every accepted socket, by whose 'close' its place is given back. */
  readonly #accepted = new Set<Accepted>();
  readonly #whenEmpty = new Set<() => void>();
  #servers: readonly Server[] = [];
  #config: Config | null = null;
  #isStopping = false;
  /** How long what is on an accepted socket may take once the orderly end has begun; null before and after it. */
  #drainMs: number | null = null;
  #lastId = 0;

  constructor(ports: ListenPorts) {
    const report = createRefusalReport(ports);
    const current = (): Config => this.#current();
    const registry = new Registry(ports, report, current);
    const strangers = new Strangers(ports.clock, () => {
      ports.metrics.strangerDeferred();
    });
    const arrive = createArrivals(ports, { registry, strangers, current });
    this.#ports = ports;
    this.#report = report;
    this.#registry = registry;
    this.#firstBytes = new FirstBytes(ports.clock);
    this.#strangers = strangers;
    this.#handshakes = new Handshakes({
      ...ports,
      report,
      accepted: this.#accepted,
      strangers,
      opened: (socket, accepted, facts) => {
        this.#open(socket, accepted, facts);
      },
    });
    this.#http1 = createHttp1Server({ rawRefusal: (reason) => ports.rawRefusal(reason), registry, report, arrive });
    this.#http2 = createHttp2Server({
      clock: ports.clock,
      registry,
      report,
      arrive,
      sendTimeoutMs: () => current().limits.sendTimeoutMs,
    });
  }

  async listen(config: Config): Promise<void> {
    this.#use(config);
    const { log, inherited = [] } = this.#ports;
    this.#servers = await openAll(config.listen, { log, inherited }, (socket, kind) => {
      this.#onSocket(socket, kind === 'unix' ? UNIX_PEER : socket.remoteAddress);
    });
  }

  apply(config: Config): void {
    this.#use(config);
    this.#registry.judgeAll();
  }

  #use(config: Config): void {
    // First, because it may throw, and nothing has changed then.
    if (!isSameTls(this.#config, config)) this.#handshakes.use(config);
    this.#config = config;
    this.#http1.setHeaderTimeout(config.limits.headerTimeoutMs);
  }

  #current(): Config {
    if (this.#config === null) throw new Error('the listener has no configuration yet');
    return this.#config;
  }

  #onSocket(socket: Socket, peer: string | undefined): void {
    const address = peer === undefined ? null : normalizeAddress(peer);
    // Without an address the client has left already: nothing to refuse.
    if (address === null || this.#isStopping) {
      socket.destroy();
      return;
    }
    const denied = this.#ports.mayConnect(address);
    const challenge = this.#handshakes.isOn ? (this.#ports.challenge?.() ?? null) : null;
    // A CA asks from anywhere: while it may, the first message decides whether `allow` applies.
    const pending = challenge?.isPending() === true ? challenge : null;
    if (denied !== null && pending === null) {
      socket.destroy();
      this.#report(denied, address);
      return;
    }
    const accepted = this.#admit(socket, address);
    if (accepted === null) return;
    if (this.#handshakes.isOn) this.#look(accepted, pending, denied);
    else this.#open(socket, accepted, null);
  }

  #look(accepted: Accepted, pending: TlsChallenge | null, denied: DenyReason | null): void {
    const { socket, address } = accepted;
    const limitMs = this.#current().limits.handshakeTimeoutMs;
    this.#firstBytes.look(socket, { limitMs, denied: denied === null ? null : address }, (seen) => {
      if (accepted.isCut) return;
      if (pending !== null && seen.kind === 'tls' && isChallengeHello(seen.hello)) {
        pending.serve(socket, seen.hello.serverName ?? '');
      } else if (denied === null) {
        this.#goOn(accepted, seen);
      } else {
        socket.destroy();
        this.#report(denied, address, seen.kind === 'timeout' ? { detail: 'no ClientHello' } : {});
      }
    });
  }

  #goOn(accepted: Accepted, { kind }: Seen): void {
    const { socket, address } = accepted;
    switch (kind) {
      case 'tls':
        this.#beginInTurn(accepted, () => {
          this.#handshakes.begin(accepted);
        });
        return;
      case 'sliced':
        socket.destroy();
        this.#report('tls_handshake_failed', address, { detail: 'a ClientHello in too many records' });
        return;
      case 'http':
        this.#beginInTurn(accepted, () => {
          this.#report('http_on_tls_port', address);
          endAndLinger(socket, this.#ports.clock, this.#ports.rawRefusal('http_on_tls_port'));
        });
        return;
      case 'timeout':
        socket.destroy();
        this.#report('tls_handshake_timeout', address, { detail: 'no ClientHello' });
        return;
      default:
        socket.destroy();
        this.#report('tls_handshake_failed', address, { detail: kind === 'gone' ? 'ECONNRESET' : PROXY_PROTOCOL });
    }
  }

  #beginInTurn(accepted: Accepted, begin: () => void): void {
    const { socket, address } = accepted;
    const waiting: { hasBegun: boolean; release: (() => void) | null } = { hasBegun: false, release: null };
    const leaveRow = this.#strangers.shakeHands(address, () => {
      waiting.hasBegun = true;
      waiting.release?.();
      if (!socket.destroyed) begin();
    });
    if (waiting.hasBegun) return;
    const release = holdSocket(socket);
    const timer = this.#ports.clock.after(this.#current().limits.handshakeTimeoutMs, () => {
      socket.destroy();
      this.#report('tls_handshake_timeout', address, { detail: 'its turn did not come: too many handshakes wait' });
    });
    const gone = (): void => {
      timer.cancel();
      leaveRow();
    };
    waiting.release = () => {
      timer.cancel();
      socket.off('close', gone);
      release();
    };
    socket.once('close', gone);
  }

  /** @returns null when there is no place for it; it is closed then. */
  #admit(socket: Socket, address: string): Accepted | null {
    const isShakingHands = this.#handshakes.isOn;
    const accepted: Accepted = { address, socket, isShakingHands, isCut: false, connection: null };
    const entry = this.#admission.enter(accepted, address, this.#current().limits);
    if (entry.kind === 'refused') {
      socket.destroy();
      this.#report(entry.reason, address);
      return null;
    }
    if (entry.kind === 'replaced') this.#giveWay(entry.holder, entry.reason);
    this.#accepted.add(accepted);
    this.#ports.metrics.connectionOpened();
    ignoreErrors(socket);
    socket.once('close', () => {
      this.#accepted.delete(accepted);
      this.#admission.leave(accepted);
      this.#ports.metrics.connectionClosed();
      if (this.#accepted.size === 0) for (const callback of this.#whenEmpty) callback();
    });
    return accepted;
  }

  #giveWay(accepted: Accepted, reason: DenyReason): void {
    const { socket, address, connection } = accepted;
    accepted.isCut = true;
    this.#handshakes.gaveWay(accepted);
    const detail = 'its place went to a newcomer';
    this.#report(reason, address, { ...(connection === null ? {} : { connection: connection.facts.id }), detail });
    if (connection?.authenticated === true) connection.leave(null, GIVE_WAY_MS);
    else if (connection === null) socket.destroy();
    else connection.destroy();
  }

  /** The handshake is over, or there is none: judged before one byte of HTTP is read. */
  #open(socket: Socket, accepted: Accepted | undefined, tls: TlsFacts | null): void {
    ignoreErrors(socket);
    if (accepted === undefined || accepted.isCut || (this.#isStopping && this.#drainMs === null)) {
      socket.destroy();
      return;
    }
    const peer = accepted.address;
    const facts: ConnectionFacts = { id: ++this.#lastId, peer, tls };
    // The address again: the configuration may have changed during the handshake.
    const reason = (tls === null ? null : this.#ports.mayConnect(peer)) ?? this.#ports.judge(facts);
    if (reason !== null) {
      socket.destroy();
      this.#report(reason, peer, { connection: facts.id, ...certificateFields(facts) });
      return;
    }
    const connection = new LiveConnection(facts, socket, this.#current().generation, this.#ports.clock);
    accepted.connection = connection;
    connection.whenAuthenticated(() => {
      this.#admission.authenticated(accepted);
    });
    this.#registry.add(connection);
    this.#strangers.watch(connection, accepted.socket);
    if (tls?.alpn === 'h2') this.#http2.accept(connection);
    else this.#http1.accept(connection);
    if (this.#drainMs !== null) connection.drain(this.#drainMs);
  }

  addresses(): readonly BoundAddress[] {
    return this.#servers.map(boundAddress);
  }

  connections(): number {
    return this.#accepted.size;
  }

  async drain(ms: number): Promise<void> {
    this.#stop();
    this.#drainMs = ms;
    this.#registry.drainAll(ms);
    const handshakes = this.#ports.clock.after(Math.min(ms, FIRST_REQUEST_MS), () => {
      for (const { socket, isShakingHands } of this.#accepted) if (isShakingHands) socket.destroy();
    });
    await this.#emptyWithin(ms);
    handshakes.cancel();
    await this.close();
  }

  async close(): Promise<void> {
    this.#stop();
    this.#drainMs = null;
    this.#registry.close();
    this.#http1.close();
    for (const { socket } of this.#accepted) socket.destroy();
    await this.#emptyWithin(null);
  }

  #stop(): void {
    this.#isStopping = true;
    for (const server of this.#servers) server.close();
    this.#servers = [];
  }

  /** @param ms null: without a bound, for sockets that were destroyed. */
  async #emptyWithin(ms: number | null): Promise<void> {
    if (this.#accepted.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = ms === null ? null : this.#ports.clock.after(ms, resolve, { ref: true });
      const done = (): void => {
        timer?.cancel();
        this.#whenEmpty.delete(done);
        resolve();
      };
      this.#whenEmpty.add(done);
    });
  }
}

function isSameTls(previous: Config | null, next: Config): boolean {
  return (
    previous !== null &&
    previous.tls === next.tls &&
    previous.http2 === next.http2 &&
    previous.limits.handshakeTimeoutMs === next.limits.handshakeTimeoutMs
  );
}

/** Whoever reads a socket hears of its errors too; before and after, that a client has gone is no news. */
function ignoreErrors(socket: Socket): void {
  socket.on('error', () => undefined);
}
