/** TLS handshakes: the server of the running configuration, and how much those of an address may cost. */
import type { Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { Config, Tls } from '../config/config.ts';
import type { TlsFacts } from '../request/connection.ts';
import type { Accepted } from './accepted.ts';
import { BoundedStream } from './bounded-stream.ts';
import { BOUNDED_BYTES, HandshakeDebts } from './handshake-debts.ts';
import type { ListenPorts } from './ports.ts';
import type { ReportRefusal } from './refusal-report.ts';
import { createTlsServer } from './tls-server.ts';

/** With the key shares of post-quantum cryptography; whatever is more holds certificates. */
const LARGE_HELLO_BYTES = 2 * 1024;

export interface HandshakePorts extends Pick<ListenPorts, 'clock' | 'secureContextOptions'> {
  readonly report: ReportRefusal;
  /** All that live. */
  readonly accepted: Iterable<Accepted>;
  /** @param accepted undefined where this release of Node does not tell which it is. */
  opened(socket: TLSSocket, accepted: Accepted | undefined, facts: TlsFacts): void;
}

export class Handshakes {
  readonly #ports: HandshakePorts;
  readonly #debts: HandshakeDebts;
  /** Also of sockets that have closed: a handshake may fail after it. */
  readonly #bySocket = new WeakMap<Socket, Accepted>();
  readonly #bounded = new WeakMap<Accepted, BoundedStream>();
  #server: TlsServer | null = null;
  #certificateRequested = false;

  constructor(ports: HandshakePorts) {
    this.#ports = ports;
    this.#debts = new HandshakeDebts(ports.clock);
  }

  /** Whether connections are TLS. */
  get isOn(): boolean {
    return this.#server !== null;
  }

  /** For new connections. @throws Error when OpenSSL refuses certificate, key, CA or CRL; nothing has changed then. */
  use(config: Config): void {
    const { tls } = config;
    this.#server = tls === null ? null : this.#makeServer(config, tls);
    this.#certificateRequested = tls !== null && tls.trust.type !== 'NoClientCert';
  }

  /** Shakes hands on a socket from which nothing was taken, or closes it. */
  begin(accepted: Accepted): void {
    const { socket, address } = accepted;
    this.#bySocket.set(socket, accepted);
    const treatment = this.#certificateRequested ? this.#debts.treatment(address) : 'free';
    if (treatment === 'refused') this.#cut(accepted, 'costly_handshakes');
    else if (treatment === 'bounded') this.#server?.emit('connection', this.#bound(accepted));
    else this.#server?.emit('connection', socket);
    // Switched off by a reload, after the socket was accepted.
    if (this.#server === null) socket.destroy();
  }

  /** Its handshake is cut, because its place went to a newcomer: what it has sent may have cost as much as a whole one. */
  gaveWay({ address, socket, isShakingHands }: Accepted): void {
    if (!isShakingHands || !this.#certificateRequested || !this.#bySocket.has(socket)) return;
    if (socket.bytesRead > LARGE_HELLO_BYTES) this.#owe(address, socket.bytesRead, true);
  }

  #bound(accepted: Accepted): BoundedStream {
    const stream = new BoundedStream(accepted.socket, BOUNDED_BYTES, () => {
      // What it was shown OpenSSL has verified, and the same again from there would never end.
      this.#debts.ended(accepted.address, BOUNDED_BYTES, true);
      this.#cut(accepted, 'costly_handshakes', `more than ${String(BOUNDED_BYTES)} bytes in one handshake`);
    });
    this.#bounded.set(accepted, stream);
    return stream;
  }

  #cut(accepted: Accepted, reason: 'costly_handshakes', detail?: string): void {
    accepted.isCut = true;
    accepted.socket.destroy();
    this.#ports.report(reason, accepted.address, detail === undefined ? {} : { detail });
  }

  #makeServer(config: Config, tls: Tls): TlsServer {
    return createTlsServer(tls, config, {
      secureContextOptions: (pair, settings) => this.#ports.secureContextOptions(pair, settings),
      secured: (socket, raw, facts) => {
        const accepted = raw === undefined ? undefined : this.#bySocket.get(raw);
        if (accepted !== undefined) this.#ended(accepted, (facts.certificate?.verifyError ?? null) !== null);
        this.#ports.opened(socket, accepted, facts);
      },
      failed: (reason, raw, detail) => {
        const accepted = raw === undefined ? undefined : this.#bySocket.get(raw);
        if (accepted?.isCut === true) return;
        this.#ports.report(reason, accepted?.address ?? 'unknown', { detail });
        if (accepted !== undefined) this.#ended(accepted, true);
      },
    });
  }

  #ended(accepted: Accepted, isRefused: boolean): void {
    accepted.isShakingHands = false;
    this.#bounded.get(accepted)?.release();
    if (!this.#certificateRequested) return;
    this.#owe(accepted.address, accepted.socket.bytesRead, isRefused);
  }

  #owe(address: string, bytesRead: number, isRefused: boolean): void {
    const before = this.#debts.treatment(address);
    this.#debts.ended(address, bytesRead, isRefused);
    if (before === 'free' && this.#debts.treatment(address) !== 'free') this.#cutThoseUnderWay();
  }

  /** What began while its address was free could read as much as it likes. */
  #cutThoseUnderWay(): void {
    for (const accepted of this.#ports.accepted) {
      const isFree = accepted.isShakingHands && !this.#bounded.has(accepted) && !accepted.isCut;
      if (isFree && this.#bySocket.has(accepted.socket) && this.#debts.isIndebted(accepted.address)) {
        this.#cut(accepted, 'costly_handshakes', 'under way when others from there had cost much');
      }
    }
  }
}
