/** TLS handshakes: the server of the running configuration, and how much those of an address may cost. */
import type { Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { Config, Tls } from '../config/config.ts';
import { addressPath } from '../formats/address.ts';
import { FairPlaces } from '../lib/fair-places.ts';
import type { TlsFacts } from '../request/connection.ts';
import type { Accepted } from './accepted.ts';
import { BoundedStream } from './bounded-stream.ts';
import { BOUNDED_BYTES, COSTLY_BYTES, HandshakeDebts, type Treatment } from './handshake-debts.ts';
import type { ListenPorts } from './ports.ts';
import type { ReportRefusal } from './refusal-report.ts';
import type { Strangers } from './strangers.ts';
import { createTlsServer } from './tls-server.ts';

/** With the key shares of post-quantum cryptography; whatever is more holds certificates. */
const LARGE_HELLO_BYTES = 2 * 1024;
/** Under way without a bound, from one address or net, and from all strangers: each may show 100 kB before it is counted. */
const MOST_FREE = 8;
const MOST_FREE_OF_ALL = 16;
/** What OpenSSL takes for certificates that are made to be slow: half a second for a hundred kilobytes. */
const MS_PER_BYTE = 0.006;

export interface HandshakePorts extends Pick<ListenPorts, 'clock' | 'secureContextOptions'> {
  readonly report: ReportRefusal;
  /** All that live. */
  readonly accepted: Iterable<Accepted>;
  readonly strangers: Pick<Strangers, 'isKnown' | 'handshakeCost'>;
  /** @param accepted undefined where this release of Node does not tell which it is. */
  opened(socket: TLSSocket, accepted: Accepted | undefined, facts: TlsFacts): void;
}

export class Handshakes {
  readonly #ports: HandshakePorts;
  readonly #debts: HandshakeDebts;
  /** Also of sockets that have closed: a handshake may fail after it. */
  readonly #bySocket = new WeakMap<Socket, Accepted>();
  readonly #bounded = new WeakMap<Accepted, BoundedStream>();
  /** Strangers' that began without a bound. */
  readonly #free = new FairPlaces<Accepted>();
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
    const { socket } = accepted;
    this.#bySocket.set(socket, accepted);
    const treatment = this.#certificateRequested ? this.#treatment(accepted) : 'free';
    if (treatment === 'refused') this.#cut(accepted, 'costly_handshakes');
    else if (treatment === 'bounded') this.#server?.emit('connection', this.#bound(accepted));
    else this.#server?.emit('connection', socket);
    // Switched off by a reload, after the socket was accepted.
    if (this.#server === null) socket.destroy();
  }

  #treatment(accepted: Accepted): Treatment {
    const { address } = accepted;
    this.#countThoseUnderWay();
    const treatment = this.#debts.treatment(address);
    // Who shares an address with an attacker still gets its scrapes.
    if (this.#ports.strangers.isKnown(address)) return treatment === 'refused' ? 'bounded' : treatment;
    if (treatment !== 'free') return treatment;
    const nets = addressPath(address);
    if (this.#free.sizeOf(nets[0] ?? '') >= MOST_FREE || this.#free.size >= MOST_FREE_OF_ALL) return 'bounded';
    this.#free.add(accepted, nets);
    accepted.socket.once('close', () => {
      this.#free.delete(accepted);
    });
    return 'free';
  }

  /** What has shown so much and does not end would never be counted. */
  #countThoseUnderWay(): void {
    for (const accepted of [...this.#free.holders()]) {
      const { address, socket, isCut } = accepted;
      if (isCut || socket.bytesRead <= COSTLY_BYTES) continue;
      this.#cut(accepted, 'costly_handshakes', 'so many certificates, and no end of the handshake');
      this.#owe(address, socket.bytesRead, true);
    }
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
      this.#ports.strangers.handshakeCost(accepted.address, BOUNDED_BYTES * MS_PER_BYTE);
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
    this.#free.delete(accepted);
    this.#bounded.get(accepted)?.release();
    if (!this.#certificateRequested) return;
    this.#owe(accepted.address, accepted.socket.bytesRead, isRefused);
  }

  #owe(address: string, bytesRead: number, isRefused: boolean): void {
    if (isRefused && bytesRead > LARGE_HELLO_BYTES)
      this.#ports.strangers.handshakeCost(address, bytesRead * MS_PER_BYTE);
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
