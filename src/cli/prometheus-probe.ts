/** Asks whether a Prometheus answers at an address: one request, one second, no credentials, no redirect followed. */
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../lib/clock.ts';

/** Where a Prometheus listens unless it is told otherwise. */
export const DEFAULT_PROMETHEUS = 'http://127.0.0.1:9090';

/** @param origin `http://HOST:PORT`. */
export type PrometheusProbe = (origin: string) => Promise<boolean>;

const DEADLINE_MS = 1000;
const MOST_BYTES = 65_536;

/** Never rejects: whatever is no Prometheus, or does not say so within a second, is none. */
export function probePrometheus(clock: Clock, origin: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`${origin}/api/v1/status/buildinfo`, { agent: false }, (response) => {
      judge(response, settle);
    });
    const deadline = clock.after(DEADLINE_MS, () => {
      settle(false);
    });
    function settle(found: boolean): void {
      deadline.cancel();
      request.destroy();
      resolve(found);
    }
    request.on('error', () => {
      settle(false);
    });
  });
}

function judge(response: IncomingMessage, settle: (found: boolean) => void): void {
  // While it replays its WAL every path but a few answers so.
  if (response.statusCode === 503 && response.headers['x-prometheus-stopping'] !== undefined) {
    settle(true);
    return;
  }
  if (response.statusCode !== 200) {
    settle(false);
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) settle(false);
    else chunks.push(chunk);
  });
  response.on('end', () => {
    settle(isBuildInfo(Buffer.concat(chunks).toString('utf8')));
  });
  response.on('error', () => {
    settle(false);
  });
}

function isBuildInfo(text: string): boolean {
  try {
    const answer = JSON.parse(text) as { status?: unknown; data?: { version?: unknown } } | null;
    return answer?.status === 'success' && typeof answer.data?.version === 'string';
  } catch {
    return false;
  }
}
