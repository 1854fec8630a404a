/**
 * An HTTPS server that speaks enough ACME to bring an order from one step to the next, checks nothing, and fails at the
 * step and in the way that a test asks for. It never issues a certificate that fits.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { AcmeDirectory } from '../../src/tls/acme/contract.ts';
import { createAuthority } from './certificates.ts';

export const STEPS = [
  'directory',
  'nonce',
  'account',
  'order',
  'authorization',
  'challenge',
  'finalize',
  'certificate',
] as const;
export type Step = (typeof STEPS)[number] | 'renewal';

export type Handler = (request: IncomingMessage, response: ServerResponse, url: string) => void;

export interface FaultyCa {
  readonly url: string;
  readonly directory: AcmeDirectory;
  /** How often each step was asked. */
  readonly asked: Map<Step, number>;
  /** A certificate of its authority, for another key than any that it is asked for. */
  readonly cert: string;
  /** Answers of these steps instead of the usual ones. */
  readonly handlers: Map<Step, Handler>;
  /** Forgets handlers, counts and what was proved. */
  reset(): void;
  close(): Promise<void>;
}

export const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Handler =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'replay-nonce': 'n', ...headers });
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };

export async function startFaultyCa(): Promise<FaultyCa> {
  const authority = createAuthority('Faulty CA');
  const pair = authority.issue({ name: 'localhost', sans: ['IP:127.0.0.1', 'DNS:a.example.com'] });
  const handlers = new Map<Step, Handler>();
  const asked = new Map<Step, number>();
  const sockets = new Set<Socket>();
  let isProved = false;
  const usual: Record<Step, (url: string) => Handler> = {
    directory: (url) =>
      json({
        newNonce: `${url}/nonce`,
        newAccount: `${url}/account`,
        newOrder: `${url}/order`,
        renewalInfo: `${url}/renewal`,
      }),
    nonce: () => json(''),
    account: (url) => json({ status: 'valid' }, 201, { location: `${url}/account/1` }),
    order: (url) => (request, response) => {
      json(orderDocument(url, isProved ? 'ready' : 'pending'), request.url === '/order' ? 201 : 200, {
        location: `${url}/order/1`,
      })(request, response, url);
    },
    authorization: (url) =>
      json({
        status: isProved ? 'valid' : 'pending',
        identifier: { type: 'dns', value: 'a.example.com' },
        challenges: [{ type: 'http-01', url: `${url}/challenge`, token: 'tok', status: 'pending' }],
      }),
    challenge: () => {
      isProved = true;
      return json({ status: 'processing' });
    },
    finalize: (url) => json({ ...orderDocument(url, 'valid'), certificate: `${url}/certificate` }),
    certificate: () => (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/pem-certificate-chain' });
      response.end(pair.cert);
    },
    renewal: () => json({ suggestedWindow: { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' } }),
  };
  const server = createServer({ cert: pair.cert, key: pair.key }, (request, response) => {
    const step = (request.url ?? '').split('/')[1] as Step;
    asked.set(step, (asked.get(step) ?? 0) + 1);
    request.resume();
    (handlers.get(step) ?? usual[step](url))(request, response, url);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    directory: { url: `${url}/directory`, name: 'faulty', ca: authority.cert, externalAccount: null },
    asked,
    cert: pair.cert,
    handlers,
    reset() {
      handlers.clear();
      asked.clear();
      isProved = false;
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      authority.remove();
    },
  };
}

function orderDocument(url: string, status: string): object {
  return { status, authorizations: [`${url}/authorization`], finalize: `${url}/finalize` };
}
