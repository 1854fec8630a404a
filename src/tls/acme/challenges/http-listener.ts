/**
 * Answers http-01 (RFC 8555 §8.3) with a listener of its own, open only while a challenge is pending. It serves the
 * answers of pending challenges and 404 for everything else; it knows nothing of the gate behind it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { addressPath } from '../../../formats/address.ts';
import { parseListenAddress } from '../../../formats/listen-address.ts';
import { PromgateError } from '../../../lib/errors.ts';
import { FairPlaces } from '../../../lib/fair-places.ts';
import type { ChallengeAnswerer } from '../contract.ts';
import { isToken } from './token.ts';

const PREFIX = '/.well-known/acme-challenge/';
const MOST_CONNECTIONS = 64;
const WEBROOT_HINT = 'if another server has port 80, let it serve a directory and set challenge to its webroot';
const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'ports below 1024 need the capability CAP_NET_BIND_SERVICE; or set challenge to a webroot or a dns-01 hook',
  EADDRINUSE: WEBROOT_HINT,
};

export interface HttpListener extends ChallengeAnswerer {
  /** Where it listens; null while no challenge is pending. */
  address(): { readonly host: string; readonly port: number } | null;
}

/** `present` throws a PromgateError PORT_TAKEN or LISTEN_FAILED; several pending challenges share the listener. */
export function createHttpListener(listen: string): HttpListener {
  /** Path → answer; the listener is open while there is one, or one is on its way. */
  const answers = new Map<string, string>();
  let users = 0;
  let server: Server | null = null;
  /** Opening and closing, one after the other. */
  let turn: Promise<void> = Promise.resolve();

  const inTurn = async (work: () => Promise<void>): Promise<void> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    await mine;
  };
  const adjust = async (): Promise<void> => {
    if (users > 0 && server === null) server = await open(listen, answers);
    if (users === 0 && server !== null) {
      const closing = server;
      server = null;
      await close(closing);
    }
  };

  return {
    async present({ token, keyAuthorization }) {
      if (!isToken(token)) throw new PromgateError('LISTEN_FAILED', 'the token of the challenge is none');
      const path = PREFIX + token;
      users += 1;
      answers.set(path, keyAuthorization);
      let isPresented = true;
      const remove = async (): Promise<void> => {
        if (!isPresented) return;
        isPresented = false;
        users -= 1;
        answers.delete(path);
        await inTurn(adjust);
      };
      try {
        await inTurn(adjust);
      } catch (error) {
        await remove();
        throw error;
      }
      return remove;
    },
    address() {
      const address = server?.address() ?? null;
      return address === null || typeof address === 'string' ? null : { host: address.address, port: address.port };
    },
  };
}

async function open(listen: string, answers: ReadonlyMap<string, string>): Promise<Server> {
  const address = parseListenAddress(listen);
  if (!address.ok || address.value.kind !== 'tcp') {
    throw new PromgateError('LISTEN_FAILED', `${listen} is no address for http-01: expected host:port, such as :80`);
  }
  const server = createServer(
    {
      maxHeaderSize: 8 * 1024,
      headersTimeout: 5_000,
      requestTimeout: 5_000,
      keepAliveTimeout: 1_000,
      connectionsCheckingInterval: 1_000,
      insecureHTTPParser: false,
    },
    (request, response) => {
      answer(request, response, answers);
    },
  );
  server.on('connection', sharePlaces());
  server.maxRequestsPerSocket = 8;
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('connect', (_request, socket) => socket.destroy());
  server.on('upgrade', (_request, socket) => socket.destroy());
  server.setTimeout(10_000, (socket) => socket.destroy());
  const { host, port } = address.value;
  // Without a host Node takes `::` for both families, and 0.0.0.0 where IPv6 is off.
  if (host === null) server.listen(port);
  else server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw bindFailure(address.value.text, error);
  }
  server.on('error', () => undefined);
  return server;
}

/**
 * A CA asks from several places of the world, once each: whoever holds the connections by saying nothing makes room for it.
 * @returns the listener for accepted sockets.
 */
function sharePlaces(): (socket: Socket) => void {
  const places = new FairPlaces<Socket>();
  return (socket) => {
    places.enter(socket, addressPath(socket.remoteAddress ?? ''), { most: MOST_CONNECTIONS, isSilent })?.destroy();
    socket.once('close', () => {
      places.delete(socket);
    });
  };
}

function isSilent({ bytesRead }: Socket): boolean {
  return bytesRead === 0;
}

function answer(request: IncomingMessage, response: ServerResponse, answers: ReadonlyMap<string, string>): void {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const found = isRead ? answers.get(request.url ?? '') : undefined;
  response.writeHead(found === undefined ? 404 : 200, {
    'content-type': found === undefined ? 'text/plain' : 'application/octet-stream',
    'cache-control': 'no-store',
    // A body that a stranger sends along is not read to its end.
    connection: 'close',
  });
  response.end(found ?? 'not found\n');
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

/** Why the port cannot be had, and what can be done instead. */
export function bindFailure(listen: string, cause: unknown): PromgateError {
  const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
  const hint = HINTS[code];
  const message = `cannot listen on ${listen} for the http-01 challenge: ${code}`;
  return new PromgateError(code === 'EADDRINUSE' ? 'PORT_TAKEN' : 'LISTEN_FAILED', message, {
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}
