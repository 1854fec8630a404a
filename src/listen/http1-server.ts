/** HTTP/1.1: a server that never listens, fed with sockets. Its parser's refusals are logged, counted and answered. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { readOpening } from '../formats/opening.ts';
import type { DenyReason } from '../request/deny-reasons.ts';
import { HEADER_BYTES, type Arrive } from './arrivals.ts';
import type { LiveConnection } from './live-connection.ts';
import type { ListenPorts } from './ports.ts';
import { PROXY_PROTOCOL, type ReportRefusal } from './refusal-report.ts';
import type { Registry } from './registry.ts';

export interface Http1Server {
  accept(connection: LiveConnection): void;
  setHeaderTimeout(ms: number): void;
  close(): void;
}

/** How long the whole of a request may take to come. */
const REQUEST_MS = 300_000;
const CHECK_MS = 1_000;

interface Http1Ports {
  readonly rawRefusal: ListenPorts['rawRefusal'];
  readonly registry: Registry;
  readonly report: ReportRefusal;
  readonly arrive: Arrive;
}

export function createHttp1Server({ rawRefusal, registry, report, arrive }: Http1Ports): Http1Server {
  const bySocket = new WeakMap<Duplex, LiveConnection>();
  const server = createServer({
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECK_MS,
    maxHeaderSize: HEADER_BYTES,
    insecureHTTPParser: false,
    // Judged with the other headers, where a refusal has log, counter and headers.
    requireHostHeader: false,
    // The registry measures idleness; Node's own 5 s would cost every slow scrape job a handshake.
    keepAliveTimeout: 0,
  });
  // Headers beyond the default of 2000 would be dropped in silence: what is judged must be all there is.
  server.maxHeadersCount = 0;
  // Node starts the check of header time-outs when a server listens; this one never does.
  server.emit('listening');

  const onRequest = (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const connection = bySocket.get(request.socket);
    if (connection !== undefined) arrive(connection, request, response, expectsContinue);
  };
  server.on('request', onRequest(false));
  // With a listener Node does not send `100 Continue` by itself: forward does, when it wants the body.
  server.on('checkContinue', onRequest(true));
  server.on('checkExpectation', onRequest(false));

  const refuse = (connection: LiveConnection, reason: DenyReason, detail: string): void => {
    if (connection.isOver) return;
    report(reason, connection.facts.peer, { connection: connection.facts.id, detail });
    if (canStillAnswer(connection)) connection.refuseRaw(rawRefusal(reason));
    else connection.destroy();
  };
  server.on('connect', (_request, socket) => {
    const connection = bySocket.get(socket);
    if (connection !== undefined) refuse(connection, 'bad_http', 'CONNECT');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const connection = bySocket.get(socket);
    const { code = '' } = error;
    if (connection === undefined || !isParserRefusal(code)) {
      socket.destroy();
    } else if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && connection.inFlight.size === 0 && !connection.isReceiving) {
      // Not one byte of a request: a browser's spare connection wants no answer.
      registry.cut(connection, 'idle_timeout');
    } else {
      refuse(connection, reasonOf(code), isProxyHeader(error) ? PROXY_PROTOCOL : code);
    }
  });

  return {
    accept(connection) {
      bySocket.set(connection.socket, connection);
      server.emit('connection', connection.socket);
    },
    setHeaderTimeout(ms) {
      server.headersTimeout = ms;
    },
    close() {
      closeUnlistened(server);
    },
  };
}

/** llhttp's own codes and Node's time-out; the others are errors of the socket, and nobody is there to be answered. */
function isParserRefusal(code: string): boolean {
  return code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT';
}

/** With the parser's refusals Node hands out the chunk that it choked on. */
function isProxyHeader(error: Error): boolean {
  const { rawPacket } = error as { readonly rawPacket?: Buffer };
  return rawPacket !== undefined && readOpening(rawPacket) === 'proxy-protocol';
}

function reasonOf(code: string): DenyReason {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'header_timeout';
  return code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'bad_http';
}

/** An answer written into another one, or to the wrong request of a pipeline, would be worse than none. */
function canStillAnswer({
  inFlight,
  socket,
}: {
  readonly inFlight: LiveConnection['inFlight'];
  readonly socket: Socket;
}) {
  const [first] = inFlight;
  return socket.writable && inFlight.size <= 1 && first?.response.headersSent !== true;
}

/** Stops the interval; Node reports that the server was not listening, which is so. */
function closeUnlistened(server: Server): void {
  server.close(() => undefined);
}
