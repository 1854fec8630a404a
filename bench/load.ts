/** The load: wrk for requests per second, and our own closed loop for latencies. Runs on the processor of the load. */
import { request as httpRequest } from 'node:http';
import type { Agent as HttpAgent } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { runProcess } from '../test/support/processes.ts';
import { endedWell, LoadFailed } from './proof.ts';

export interface Load {
  readonly url: string;
  readonly authorization: string;
  readonly connections: number;
  readonly seconds: number;
  readonly acceptEncoding?: string;
  /** A connection, and a handshake, for each request. */
  readonly close?: boolean;
}

export interface Answered {
  readonly perSecond: number;
  readonly requests: number;
  /** As wrk rounds them: headers and bodies. */
  readonly bytes: number;
}

/** @throws LoadFailed when wrk fails, or when more than one in a thousand answers is not a 2xx or does not come whole. */
export async function runWrk(load: Load): Promise<Answered> {
  const { url, authorization, connections, seconds, acceptEncoding = 'identity', close = false } = load;
  const headers = [`Authorization: ${authorization}`, `Accept-Encoding: ${acceptEncoding}`];
  if (close) headers.push('Connection: close');
  const argv = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    ...headers.flatMap((one) => ['-H', one]),
  ];
  const done = await runProcess('wrk', [...argv, url], { deadlineMs: (seconds + 20) * 1000 });
  endedWell('wrk', done);
  const { perSecond, requests, bytes, wrong } = readWrk(done.stdout);
  if (!(requests > 0) || wrong > requests / 1000) throw new LoadFailed(`wrk at ${url}:\n${done.stdout}`);
  return { perSecond, requests, bytes };
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

/** What wrk prints: `16023 requests in 1.00s, 2.41MB read`, and lines about what went wrong where something did. */
export function readWrk(text: string): Answered & { readonly wrong: number } {
  const [, requests = NaN, amount = NaN, unit = ''] =
    /^\s*(\d+) requests in \S+, ([\d.]+)([KMGT]?B) read$/m.exec(text) ?? [];
  const perSecond = Number(/^Requests\/sec:\s*([\d.]+)$/m.exec(text)?.[1] ?? NaN);
  const statuses = Number(/^\s*Non-2xx or 3xx responses: (\d+)$/m.exec(text)?.[1] ?? 0);
  const errors = /^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$/m.exec(text) ?? [];
  const broken = errors.slice(1).reduce((sum, count) => sum + Number(count), 0);
  return {
    perSecond,
    requests: Number(requests),
    bytes: Number(amount) * (UNITS[unit] ?? NaN),
    wrong: statuses + broken,
  };
}

export interface Fetched {
  readonly status: number;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** From the request to the last byte of the body, in milliseconds. */
  readonly ms: number;
}

export interface FetchOptions {
  readonly url: string;
  readonly authorization: string;
  readonly agent: Agent | HttpAgent;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** One request; the body whole. @throws Error of the connection, or when it takes longer than `timeoutMs`. */
export function fetchOnce({ url, authorization, agent, headers, timeoutMs = 30_000 }: FetchOptions): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const ask = agent instanceof Agent ? request : httpRequest;
    const asked = ask(url, { agent, headers: { authorization, ...headers }, signal: AbortSignal.timeout(timeoutMs) });
    asked.once('error', reject);
    asked.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const ms = performance.now() - startedAt;
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks), headers: response.headers, ms });
      });
    });
    asked.end();
  });
}

/**
 * A well-behaved scraper: one request at a time, `everyMs` after the last.
 * @returns the latencies of those answered 200, in milliseconds, and how many were not.
 */
export async function scrapeFor(
  options: FetchOptions,
  seconds: number,
  everyMs = 5,
): Promise<{ readonly latencies: number[]; readonly failures: number }> {
  const latencies: number[] = [];
  let failures = 0;
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const fetched = await fetchOnce(options).catch(() => null);
    if (fetched?.status === 200) latencies.push(fetched.ms);
    else failures += 1;
    await delay(everyMs);
  }
  return { latencies, failures };
}
