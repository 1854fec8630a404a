/** HTTP/2: a server that never listens, fed with sockets whose ALPN said h2. Frames that only cost work are counted. */
import { createServer, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2';
import type { Clock } from '../lib/clock.ts';
import { HEADER_BYTES, type Arrive } from './arrivals.ts';
import type { LiveConnection } from './live-connection.ts';
import type { Registry } from './registry.ts';
import type { ReportRefusal } from './refusal-report.ts';
import { SessionPulse, type PulseSample } from './session-pulse.ts';

export interface Http2Server {
  accept(connection: LiveConnection): void;
}

const MOST_STREAMS = 32;
/** Before the connection has authenticated: what a browser asks for beside the page, and no more memory for strangers. */
const MOST_STREAMS_OF_STRANGER = 8;
/** MB of headers, frames and queued answers of one session; Node's default is 10. */
const SESSION_MEMORY = 6;
/** More than is taken, so that a list between the two is answered with 431: the native limit answers in silence. */
const ANNOUNCED_HEADER_BYTES = HEADER_BYTES + 32 * 1024;
const MOST_HEADERS = 256;
const MOST_INVALID_FRAMES = 100;
/** More than end a connection; a client may also skip numbers. */
const MOST_UNSEEN = 128;
const REFUSED_BELOW =
  'an HTTP/2 request that is malformed or incomplete, has too many headers, or is beyond the streams allowed';
/** nghttp2 refused what came, or too many frames were invalid. */
const PROTOCOL_ERRORS: ReadonlySet<string> = new Set(['ERR_HTTP2_ERROR', 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES']);

interface Http2Ports {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly report: ReportRefusal;
  readonly arrive: Arrive;
  readonly sendTimeoutMs: () => number;
}

function pulseOf({ inFlight, socket }: LiveConnection, nowMs: number): PulseSample {
  const isWaiting = inFlight.size > 0 && [...inFlight].every(({ stream }) => (stream?.writableLength ?? 0) === 0);
  return { nowMs, moved: socket.bytesRead + socket.bytesWritten, isWaiting };
}

export function createHttp2Server({ clock, registry, report, arrive, sendTimeoutMs }: Http2Ports): Http2Server {
  const bySession = new WeakMap<ServerHttp2Session, LiveConnection>();
  let entering: LiveConnection | null = null;
  const server = createServer({
    settings: {
      maxConcurrentStreams: MOST_STREAMS_OF_STRANGER,
      maxHeaderListSize: ANNOUNCED_HEADER_BYTES,
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: MOST_HEADERS,
    maxSessionMemory: SESSION_MEMORY,
    maxSessionInvalidFrames: MOST_INVALID_FRAMES,
    maxSessionRejectedStreams: MOST_INVALID_FRAMES,
    unknownProtocolTimeout: 1_000,
  });

  const count = (connection: LiveConnection): void => {
    if (connection.flood.exceeds(clock.monotonic())) registry.cut(connection, 'http2_flood');
  };
  const refuseUnseen = (connection: LiveConnection, unseen: number): void => {
    for (let left = Math.min(unseen, MOST_UNSEEN); left > 0 && !connection.wasCut; left--) {
      report('bad_http', connection.facts.peer, { connection: connection.facts.id, detail: REFUSED_BELOW });
      count(connection);
    }
  };
  server.on('session', (session) => {
    const connection = entering;
    if (connection === null) {
      session.destroy();
      return;
    }
    connection.session = session;
    bySession.set(session, connection);
    const look = (isOver: boolean): void => {
      if (session.destroyed) return;
      refuseUnseen(connection, connection.streams.processed(session.state.lastProcStreamID, isOver));
    };
    const pulse = new SessionPulse(session);
    connection.onSweep = () => {
      look(false);
      if (!session.destroyed && pulse.isDead(pulseOf(connection, clock.monotonic()), sendTimeoutMs())) {
        registry.cut(connection, 'send_timeout', 'the HTTP/2 session no longer reads');
      }
    };
    const widen = (): void => {
      if (!session.destroyed && !session.closed) session.settings({ maxConcurrentStreams: MOST_STREAMS });
    };
    if (connection.authenticated) widen();
    else connection.whenAuthenticated(widen);
    // Before Node's own listener, which takes the session's state away.
    connection.socket.prependOnceListener('close', () => {
      look(true);
    });
    session.on('ping', () => {
      count(connection);
    });
    session.on('remoteSettings', () => {
      connection.hasPreface = true;
      count(connection);
    });
    if (connection.leaving) session.close();
  });
  server.on('sessionError', (error: NodeJS.ErrnoException, session) => {
    const connection = bySession.get(session);
    if (connection === undefined || connection.wasCut) return;
    connection.destroy();
    // The client's own errors of transport and its GOAWAY are no refusals of ours.
    const { code = '' } = error;
    if (!PROTOCOL_ERRORS.has(code)) return;
    report('bad_http', connection.facts.peer, { connection: connection.facts.id, detail: code });
  });

  const onRequest = (expectsContinue: boolean) => (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const { stream } = response;
    const connection = stream.session === undefined ? undefined : bySession.get(stream.session as ServerHttp2Session);
    if (connection === undefined) return;
    refuseUnseen(connection, connection.streams.saw(stream.id ?? 0));
    // A reset that came in the same chunk as its request: counted, and nobody is there to be answered.
    if (stream.aborted || stream.destroyed) {
      count(connection);
      return;
    }
    // Before our answer's end; our own cuts count as well, a hundred of which in ten seconds are none too few.
    stream.once('aborted', () => {
      count(connection);
    });
    arrive(connection, request, response, expectsContinue);
  };
  server.on('request', onRequest(false));
  server.on('checkContinue', onRequest(true));
  server.on('checkExpectation', onRequest(false));
  server.on('connect', onRequest(false));

  return {
    accept(connection) {
      entering = connection;
      // Synchronous up to the 'session' event.
      server.emit('connection', connection.socket);
      entering = null;
    },
  };
}
