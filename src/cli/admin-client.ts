/** Asks the running gate over its admin address: one request, one bounded answer, one deadline. */
import { request } from 'node:http';
import type { ListenAddress } from '../formats/listen-address.ts';
import { systemClock } from '../lib/clock.ts';
import { PromgateError } from '../lib/errors.ts';

export interface AdminCall {
  readonly method: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly timeoutMs: number;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

const MOST_BYTES = 4 * 1024 * 1024;

/** @throws PromgateError ADMIN_UNREACHABLE when there is no whole answer in time. */
export function askAdmin(address: ListenAddress, { method, path, timeoutMs }: AdminCall): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => {
      deadline.cancel();
      asked.destroy();
      reject(
        new PromgateError(
          'ADMIN_UNREACHABLE',
          `the gate does not answer on its admin address ${address.text}: ${what}`,
          {
            hint: 'is promgate running with this configuration?',
          },
        ),
      );
    };
    const asked = request(
      { ...whereTo(address), method, path, agent: false, headers: { host: 'localhost', 'user-agent': 'promgate' } },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          length += chunk.length;
          if (length > MOST_BYTES) fail('the answer is too large');
        });
        response.on('error', (error: NodeJS.ErrnoException) => {
          fail(error.code ?? error.message);
        });
        response.on('end', () => {
          deadline.cancel();
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
        });
      },
    );
    const expired = (): void => {
      fail(`no answer within ${String(timeoutMs / 1000)} s`);
    };
    const deadline = systemClock.after(timeoutMs, expired, { ref: true });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.code ?? error.message);
    });
    asked.end();
  });
}

/** A wildcard address is asked on loopback, where everything is answered. */
function whereTo(address: ListenAddress): { socketPath: string } | { host: string; port: number } {
  if (address.kind === 'unix') return { socketPath: address.path };
  const { host, port } = address;
  if (host === null || host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}
