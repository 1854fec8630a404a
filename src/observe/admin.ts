/**
 * The admin listener: the gate's own metrics, health, reload and lockouts, on loopback or a unix socket, never on the
 * public listener. It has no users; where it stands and what admin-guard.ts refuses is its protection.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { escapeForeign } from '../lib/foreign-text.ts';
import { isLocalConnection, judgeAdminQuestion } from './admin-guard.ts';
import { createAdminRoutes, textReply, type AdminPorts, type AdminReply } from './admin-routes.ts';
import { sharePlaces } from './admin-places.ts';
import { openAdminSocket, type ReleaseSocket } from './admin-socket.ts';

export type { AdminPorts, Readiness, ReloadReport } from './admin-routes.ts';

export interface AdminOptions extends AdminPorts {
  readonly config: Config;
  /** The nets around an address, the widest first (formats/address.ts). */
  readonly netsOf: (address: string) => readonly string[];
}

export type AdminListening =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface Admin {
  /** @throws PromgateError PORT_TAKEN, LISTEN_FAILED or FILE_UNSAFE. Does nothing when the admin address is off. */
  listen(): Promise<void>;
  /** null: not listening. */
  address(): AdminListening | null;
  /** Takes the host names and what the status page shows; a change of the address needs a restart, and says so. */
  apply(config: Config): void;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
const MAX_UNANSWERED = 4;
const MAX_HEADER_BYTES = 16 * 1024;
const IDLE_MS = 30_000;
/** A reload waits up to 5 s for a pair to match; a socket that is silent for longer than this is gone. */
const SOCKET_TIMEOUT_MS = 120_000;
const CLOSE_GRACE_MS = 1000;
const REFUSAL_LOG_INTERVAL_MS = 10_000;

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

export function createAdmin({ config: first, netsOf, ...ports }: AdminOptions): Admin {
  const { log, clock } = ports;
  const address = first.admin.address;
  let config = first;
  let release: ReleaseSocket | null = null;
  const routes = createAdminRoutes(ports, () => config);
  const noteRefusal = refusalNotes(ports);
  const unanswered = new WeakMap<Socket, number>();

  const answerTo = async (request: IncomingMessage): Promise<AdminReply> => {
    const method = request.method ?? '';
    const [path = '', query = ''] = splitTarget(request.url ?? '');
    const refusal = judgeAdminQuestion(
      {
        method,
        path,
        host: singleHost(request),
        origin: request.headers.origin,
        fetchSite: headerText(request.headers['sec-fetch-site']),
        local: address.kind === 'unix' || isLocalConnection(request.socket.localAddress, request.socket.remoteAddress),
      },
      config.admin.hosts,
    );
    if (refusal !== null) {
      noteRefusal(request, method, path, refusal.status);
      return textReply(refusal.status, refusal.message, { connection: 'close' });
    }
    const route = routes[path];
    if (route === undefined) return textReply(404, 'not found');
    const handler = method === 'HEAD' ? route.GET : route[method as 'GET' | 'POST'];
    if (handler === undefined) return textReply(405, 'method not allowed', { allow: Object.keys(route).join(', ') });
    if (hasBody(request)) return textReply(413, 'no body is taken here');
    return handler({
      query: new URLSearchParams(query),
      acceptEncoding: headerText(request.headers['accept-encoding']),
    });
  };

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    // What a destroyed connection had already sent is still parsed and delivered.
    if (socket.destroyed) return;
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    if (count > MAX_UNANSWERED) {
      socket.destroy();
      return;
    }
    response.once('close', () => {
      unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1);
    });
    answerTo(request).then(
      (reply) => {
        // A body that nobody reads must not keep the connection busy.
        send(response, reply, hasBody(request));
      },
      (error: unknown) => {
        log.error({ err: error, path: escapeForeign(request.url ?? '') }, 'admin request failed');
        send(response, textReply(500, 'internal error; the log has the details'), true);
      },
    );
  };

  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: IDLE_MS,
    },
    handle,
  );
  // Without a listener Node says 100 Continue before anybody has judged the request.
  server.on('checkContinue', handle);
  server.on(
    'connection',
    sharePlaces(MAX_CONNECTIONS, netsOf, (socket) => (unanswered.get(socket) ?? 0) === 0),
  );
  server.maxHeadersCount = 64;
  server.timeout = SOCKET_TIMEOUT_MS;

  return {
    async listen() {
      if (address.kind === 'off') return;
      release = await openAdminSocket(server, address);
      server.on('error', (error) => {
        log.error({ err: error }, 'the admin listener failed');
      });
    },
    address() {
      const bound = server.listening ? server.address() : null;
      if (bound === null || address.kind === 'off') return null;
      if (address.kind === 'unix') return { kind: 'unix', path: address.path };
      return typeof bound === 'string' ? null : { kind: 'tcp', host: bound.address, port: bound.port };
    },
    apply(next) {
      config = next;
      if (addressText(next.admin.address) !== addressText(address)) {
        log.warn({ running: addressText(address) }, 'a change of admin_address needs a restart');
      }
    },
    async close() {
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      const cut = clock.after(CLOSE_GRACE_MS, () => {
        server.closeAllConnections();
      });
      await closed;
      cut.cancel();
      await release?.();
      release = null;
    },
  };
}

function send(response: ServerResponse, { status, headers, body }: AdminReply, lastOne: boolean): void {
  if (response.destroyed) return;
  const length = { 'content-length': String(Buffer.byteLength(body)) };
  response.writeHead(status, { ...HEADERS, ...length, ...headers, ...(lastOne ? { connection: 'close' } : {}) });
  response.end(body);
}

function splitTarget(url: string): [string, string] {
  const mark = url.indexOf('?');
  return mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}

/** Two Host headers are read differently by every server: they count as none. */
function singleHost(request: IncomingMessage): string | undefined {
  const { rawHeaders } = request;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  return hosts === 1 ? request.headers.host : undefined;
}

function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) !== 0;
}

function addressText(address: Config['admin']['address']): string {
  return address.kind === 'off' ? 'off' : address.text;
}

/** One line in ten seconds: a stranger's page that asks in a loop must not fill the log. */
function refusalNotes({ log, clock }: Pick<AdminPorts, 'log' | 'clock'>) {
  let lastAt = Number.NEGATIVE_INFINITY;
  let untold = 0;
  return (request: IncomingMessage, method: string, path: string, status: number): void => {
    const now = clock.monotonic();
    if (now - lastAt < REFUSAL_LOG_INTERVAL_MS) {
      untold += 1;
      return;
    }
    log.warn(
      {
        address: request.socket.remoteAddress,
        host: escapeForeign(request.headers.host ?? ''),
        origin: escapeForeign(request.headers.origin ?? ''),
        method,
        path: escapeForeign(path),
        status,
        untold,
      },
      'admin request refused',
    );
    lastAt = now;
    untold = 0;
  };
}
