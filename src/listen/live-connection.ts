/** One live connection: what is in flight on it, how long it rests, and how it leaves. It decides nothing by itself. */
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import type { Connection, ConnectionFacts } from '../request/connection.ts';
import type { DenyReason } from '../request/deny-reasons.ts';
import { EventRate } from './event-rate.ts';
import type { RawRequest, RawResponse } from './ports.ts';
import { LINGER_MS } from './last-words.ts';
import { StallWatch, type OutgoingSample } from './stall.ts';
import { UnseenStreams } from './unseen-streams.ts';
import type { ConnectionState } from './verdict.ts';

/** One request whose answer has not ended. */
export interface InFlight {
  readonly request: RawRequest;
  readonly response: RawResponse;
  /** Monotonic. */
  readonly startedAt: number;
  /** null on HTTP/1.1, where the connection is watched. */
  readonly stream: ServerHttp2Stream | null;
  readonly stall: StallWatch;
  /** Names and values of its headers, and the request line of h2. */
  headerBytes: number;
  /** How often the stream took all that it had been given. */
  drains: number;
}

/** Bytes of the headers of unanswered requests. */
export interface HeldHeaders {
  bytes: number;
}

const FLOOD_EVENTS = 100;
const FLOOD_WINDOW_MS = 10_000;
/** A browser with a page of assets, a health check a tenth of a second: more than that nobody needs. */
const STRANGER_REQUESTS = 200;

/** How long a connection that has asked nothing yet may still do so after a drain has begun: its request is under way. */
export const FIRST_REQUEST_MS = 1_000;

export class LiveConnection implements Connection {
  readonly facts: ConnectionFacts;
  readonly socket: Socket;
  readonly inFlight = new Set<InFlight>();
  readonly stall = new StallWatch();
  readonly streams = new UnseenStreams();
  /** Resets, PINGs and SETTINGS received. */
  readonly flood = new EventRate(FLOOD_EVENTS, FLOOD_WINDOW_MS);
  /** Requests before it has authenticated. */
  readonly strangers = new EventRate(STRANGER_REQUESTS, FLOOD_WINDOW_MS);
  judgedUnder: number;
  session: ServerHttp2Session | null = null;
  /** What its protocol looks at with every sweep. */
  onSweep: (() => void) | null = null;
  hasPreface = false;
  /** Of all requests in flight. */
  headerBytes = 0;
  /** Of all connections. */
  held: HeldHeaders = { bytes: 0 };
  readonly #clock: Clock;
  readonly #openedAt: number;
  readonly #certificateEnd: number | null;
  #restingSince: number;
  #bytesReadAtRest: number;
  #leaveBy: number | null = null;
  #leaveReason: DenyReason | null = null;
  #asked = 0;
  #wasCut = false;
  #authenticated = false;
  readonly #whenAuthenticated: (() => void)[] = [];

  constructor(facts: ConnectionFacts, socket: Socket, generation: number, clock: Clock) {
    this.facts = facts;
    this.socket = socket;
    this.judgedUnder = generation;
    this.#clock = clock;
    this.#openedAt = clock.monotonic();
    this.#restingSince = this.#openedAt;
    this.#bytesReadAtRest = socket.bytesRead;
    const ends = facts.tls?.certificate?.chain.map(({ notAfter }) => notAfter) ?? [];
    this.#certificateEnd = ends.length === 0 ? null : Math.min(...ends);
  }

  get authenticated(): boolean {
    return this.#authenticated;
  }

  set authenticated(isSo: boolean) {
    if (isSo && !this.#authenticated) for (const callback of this.#whenAuthenticated.splice(0)) callback();
    this.#authenticated = isSo;
  }

  /** Calls back once, when it authenticates. */
  whenAuthenticated(callback: () => void): void {
    this.#whenAuthenticated.push(callback);
  }

  get leaving(): boolean {
    return this.#leaveBy !== null;
  }

  /** Why it is leaving; null for an ordinary end (a shutdown). */
  get leaveReason(): DenyReason | null {
    return this.#leaveReason;
  }

  /** Cut by us: the reason is counted, and what else goes wrong with it is a consequence. */
  get wasCut(): boolean {
    return this.#wasCut;
  }

  /** Nothing that still comes out of the parser may be handled. */
  get isOver(): boolean {
    return this.#wasCut || this.socket.destroyed;
  }

  /** Whether part of an HTTP/1.1 request head has come that is no request yet. */
  get isReceiving(): boolean {
    return this.session === null && this.inFlight.size === 0 && this.socket.bytesRead !== this.#bytesReadAtRest;
  }

  /** Whether what came is the only request so far: its client may not have known of a drain when it connected. */
  get isFirstRequest(): boolean {
    return this.#asked === 1;
  }

  state(): ConnectionState {
    return {
      openedAt: this.#openedAt,
      restingSince: this.inFlight.size > 0 ? null : this.#restingSince,
      isReceiving: this.isReceiving,
      authenticated: this.authenticated,
      awaitsPreface: this.session !== null && !this.hasPreface,
      certificateEnd: this.#certificateEnd,
      leaveBy: this.#leaveBy,
    };
  }

  /** Bytes that HTTP/1.1 has handed to the socket; h2 writes past it. */
  outgoing(): OutgoingSample {
    const pendingBytes = this.socket.writableLength;
    return { pendingBytes, progress: this.socket.bytesWritten - pendingBytes };
  }

  /** A request has come. Its end is seen on the response, whichever way it goes. */
  begin(request: RawRequest, response: RawResponse, headerBytes: number): void {
    const stream = 'stream' in response ? response.stream : null;
    const startedAt = this.#clock.monotonic();
    const entry: InFlight = { request, response, startedAt, stream, stall: new StallWatch(), headerBytes, drains: 0 };
    this.inFlight.add(entry);
    this.#asked += 1;
    this.headerBytes += headerBytes;
    this.held.bytes += headerBytes;
    stream?.on('drain', () => {
      entry.drains += 1;
    });
    // Comes twice for some answers (see abandonAnswers), and the second time means nothing.
    response.on('close', () => {
      this.#end(entry);
    });
    if (this.leaving) announceClose(response);
  }

  #end(entry: InFlight): void {
    if (!this.inFlight.delete(entry)) return;
    this.#unweigh(entry);
    if (this.inFlight.size > 0) return;
    this.#restingSince = this.#clock.monotonic();
    this.#bytesReadAtRest = this.socket.bytesRead;
    if (this.leaving) this.#takeNoMore();
  }

  #unweigh(entry: InFlight): void {
    this.headerBytes -= entry.headerBytes;
    this.held.bytes -= entry.headerBytes;
    entry.headerBytes = 0;
  }

  drain(drainMs: number): void {
    this.leave(null, drainMs);
  }

  /** No new request from now on; after `drainMs` the registry destroys what is left. The first reason stays. */
  leave(reason: DenyReason | null, drainMs: number): void {
    const nowMs = this.#clock.monotonic();
    if (this.#leaveBy !== null) {
      // Its last answer is out: it only waits for its client, which keeps nothing from ending.
      const patienceMs = this.session === null && this.inFlight.size === 0 ? Math.min(drainMs, LINGER_MS) : drainMs;
      this.#leaveBy = Math.min(this.#leaveBy, nowMs + patienceMs);
      return;
    }
    this.#leaveBy = nowMs + drainMs;
    this.#leaveReason = reason;
    for (const { response } of this.inFlight) announceClose(response);
    if (reason === null && this.#asked === 0) this.#awaitFirstRequest(Math.min(drainMs, FIRST_REQUEST_MS));
    else this.#takeNoMore();
  }

  /** Its client cannot know of the end yet, and would take the closed connection for a refused request. */
  #awaitFirstRequest(ms: number): void {
    const timer = this.#clock.after(ms, () => {
      if (this.#asked === 0 && !this.isReceiving) this.#takeNoMore();
    });
    this.socket.once('close', () => {
      timer.cancel();
    });
  }

  #takeNoMore(): void {
    // GOAWAY: streams with a higher id are not answered any more, and the last answer's end closes the session.
    this.session?.close();
    if (this.session === null && this.inFlight.size === 0) this.socket.destroySoon();
  }

  /** Writes the whole answer to what the parser refused, and closes; the client gets a moment to read it. */
  refuseRaw(answer: Buffer): void {
    this.#wasCut = true;
    this.socket.end(answer);
    // What the client still sends is read and dropped until then: unread bytes would reset the connection under the
    // answer. The parser, which is broken now, does the dropping.
    const timer = this.#clock.after(LINGER_MS, () => {
      this.socket.destroy();
    });
    this.socket.once('close', () => {
      timer.cancel();
    });
  }

  destroy(): void {
    this.#wasCut = true;
    // Their 'close' comes later, and until then they would count against others.
    for (const entry of this.inFlight) this.#unweigh(entry);
    this.session?.destroy();
    this.socket.destroy();
  }

  /**
   * Pipelined answers that never got the socket hear nothing of its end from Node, and what was acquired for them would
   * never be released. Their 'close' is raised here, after Node has raised those that it knows of.
   */
  abandonAnswers(): void {
    setImmediate(() => {
      for (const { response } of this.inFlight) {
        response.destroy();
        response.emit('close');
      }
    });
  }
}

function announceClose(response: RawResponse): void {
  if (!('stream' in response) && !response.headersSent) response.setHeader('Connection', 'close');
}
