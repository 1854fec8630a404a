/** The load: wrk for requests per second, and our own closed loop for latencies. Runs on the processor of the load. */
import { request as httpRequest } from 'node:http';
import type { Agent as HttpAgent } from 'node:http';
import { Agent, request } from 'node:https';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runProcess } from '../test/support/processes.ts';

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
}

/** @throws Error when more than one in a thousand answers is not a 2xx. */
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
  const { stdout, stderr } = await runProcess('wrk', [...argv, url], { deadlineMs: (seconds + 20) * 1000 });
  const perSecond = Number(/^Requests\/sec:\s*([\d.]+)$/m.exec(stdout)?.[1] ?? NaN);
  const requests = Number(/^\s*(\d+) requests in /m.exec(stdout)?.[1] ?? NaN);
  const wrong = Number(/^\s*Non-2xx or 3xx responses: (\d+)$/m.exec(stdout)?.[1] ?? 0);
  if (Number.isNaN(perSecond) || wrong > requests / 1000) throw new Error(`wrk at ${url}:\n${stdout}${stderr}`);
  return { perSecond, requests };
}

/** A new password with every request: neither a cache of right nor one of wrong ones is of use. */
const FLOOD = `local count = 0
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  local out = {}
  for index = 1, #text, 3 do
    local a, b, c = text:byte(index), text:byte(index + 1), text:byte(index + 2)
    local n = a * 65536 + b * 256 + c
    for shift = 3, 0, -1 do
      local at = math.floor(n / 64 ^ shift) % 64 + 1
      out[#out + 1] = alphabet:sub(at, at)
    end
  end
  return table.concat(out)
end
request = function()
  count = count + 1
  wrk.headers["Authorization"] = "Basic " .. base64(string.format("prom:guess%09d", count) .. "x")
  return wrk.format()
end
`;

/** Guesses passwords over `connections` connections for as long as it is told. */
export async function flood(url: string, directory: string, seconds: number, connections = 16): Promise<void> {
  const script = join(directory, 'flood.lua');
  await writeFile(script, FLOOD);
  const argv = ['-n', '10', 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url];
  await runProcess('nice', argv, { deadlineMs: (seconds + 20) * 1000 });
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
