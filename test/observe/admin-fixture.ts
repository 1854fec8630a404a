/** An admin listener on a free port with ports that a test can steer, and raw questions to it. */
import { request } from 'node:http';
import { createConnection } from 'node:net';
import type { Config } from '../../src/config/config.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { addressPath } from '../../src/formats/address.ts';
import { createAdmin, type Admin, type AdminOptions } from '../../src/observe/admin.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { configOf } from '../support/config-fixture.ts';
import { recordingLog } from './recording-log.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly raw: Buffer;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
}

export interface AdminFixture {
  readonly admin: Admin;
  readonly port: number;
  readonly log: ReturnType<typeof recordingLog>;
  readonly cleared: string[];
  readonly ask: (path: string, asking?: Asking) => Promise<Reply>;
}

export type AdminChanges = Partial<AdminOptions> & { readonly address?: Config['admin']['address'] };

export async function startAdmin({ address, ...changes }: AdminChanges = {}): Promise<AdminFixture> {
  const log = recordingLog();
  const cleared: string[] = [];
  const base = configOf();
  const config = changes.config ?? configOf({ admin: { ...base.admin, address: address ?? base.admin.address } });
  const metrics = createMetrics({ clock: systemClock, version: '1.2.3', nodeVersion: 'v20' });
  metrics.describe(config);
  const admin = createAdmin({
    netsOf: addressPath,
    metrics,
    log,
    clock: systemClock,
    version: '1.2.3',
    ready: () => ({ ready: true, reasons: [] }),
    reload: async () => ({ ok: true, report: '' }),
    lockouts: () => [],
    clearLockout: (cleaned) => {
      cleared.push(cleaned);
      return 1;
    },
    ...changes,
    config,
  });
  await admin.listen();
  const listening = admin.address();
  const port = listening?.kind === 'tcp' ? listening.port : 0;
  const place = listening?.kind === 'unix' ? { socketPath: listening.path } : { host: '127.0.0.1', port };
  return { admin, port, log, cleared, ask: (path, asking) => ask(place, path, asking) };
}

export type Place = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export function ask(place: Place, path: string, { method = 'GET', headers = {}, body }: Asking = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...place, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const raw = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: raw.toString('utf8'), raw });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Sends bytes as they are. @returns what came until the other side closed, or `until` was seen. */
export function sendRaw(port: number, bytes: string, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = createConnection({ host: '127.0.0.1', port }, () => {
      socket.write(bytes);
    });
    const finish = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(5000, () => {
      socket.destroy();
      reject(new Error(`the connection stayed open after ${JSON.stringify(text)}`));
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (until?.test(text) === true) finish();
    });
    socket.on('error', finish);
    socket.on('close', finish);
  });
}
