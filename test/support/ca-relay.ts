/**
 * The way to a CA: HTTPS in front of a real one, which lets a test wait for a question, answer in the CA's place, or cut
 * the way for a while. The CA sees the address of the relay as its own and gives it in its answers.
 */
import { once } from 'node:events';
import { Agent, createServer, request, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AcmeDirectory } from '../../src/tls/acme/contract.ts';
import { createAuthority } from './certificates.ts';
import { freePort } from './free-port.ts';

/** @returns whether it has answered, or will; otherwise the question goes to the CA. */
export type Interception = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface CaRelay {
  readonly directory: AcmeDirectory;
  /** Every question from now on comes by here; null: none. */
  intercept(interception: Interception | null): void;
  /** Nobody listens, and what was open is cut. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function startCaRelay(ca: AcmeDirectory): Promise<CaRelay> {
  const authority = createAuthority('Relay TLS');
  const pair = authority.issue({ name: 'localhost', sans: ['DNS:localhost', 'IP:127.0.0.1'] });
  const port = await freePort();
  const target = new URL(ca.url);
  const agent = new Agent({ ca: ca.ca ?? undefined, keepAlive: false });
  let interception: Interception | null = null;
  let server: Server | null = null;
  const sockets = new Set<Socket>();

  const pass = (asked: IncomingMessage, answer: ServerResponse): void => {
    const { url = '/', method = 'GET', headers } = asked;
    const onward = request({ agent, host: target.hostname, port: target.port, path: url, method, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
      got.on('error', () => answer.destroy());
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  };
  const mend = async (): Promise<void> => {
    server = createServer({ cert: pair.cert, key: pair.key }, (asked, answer) => {
      Promise.resolve(interception?.(asked, answer) ?? false).then(
        (isAnswered) => {
          if (!isAnswered) pass(asked, answer);
        },
        () => answer.destroy(),
      );
    });
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const cut = async (): Promise<void> => {
    if (server === null) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
    server = null;
  };
  await mend();
  return {
    directory: {
      ...ca,
      url: `https://127.0.0.1:${port}${target.pathname}`,
      name: `127.0.0.1:${port}`,
      ca: authority.cert,
    },
    intercept(next) {
      interception = next;
    },
    cut,
    mend,
    async close() {
      await cut();
      agent.destroy();
      authority.remove();
    },
  };
}
