/** A client for thousands of small questions: HTTP/1.1 over a few connections that are kept, with a password. */
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { PASSWORD } from './scene.ts';
import type { Scene } from './scene.ts';

export interface Question {
  readonly method: string;
  readonly path: string;
  /** Without `?`; empty: none. */
  readonly query: string;
  readonly body: string | null;
  readonly headers: OutgoingHttpHeaders;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Client {
  /** Each user has the password of the scene. */
  ask(user: string, question: Question): Promise<Answered>;
  close(): void;
}

export function createClient({ authority, gate }: Scene, connections: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, ca: authority.cert });
  return {
    ask: (user, { method, path, query, body, headers }) =>
      new Promise((resolve, reject) => {
        const length = body === null ? {} : { 'content-length': Buffer.byteLength(body) };
        const request = httpsRequest(
          {
            agent,
            method,
            host: 'localhost',
            port: gate.port,
            path: query === '' ? path : `${path}?${query}`,
            auth: `${user}:${PASSWORD}`,
            headers: { ...headers, ...length },
          },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('error', reject);
            response.on('end', () => {
              const text = Buffer.concat(chunks).toString('utf8');
              resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
            });
          },
        );
        request.on('error', reject);
        request.end(body ?? undefined);
      }),
    close() {
      agent.destroy();
    },
  };
}
