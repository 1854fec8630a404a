/**
 * HTTPS to one CA, bounded in time and size: what the ACME library and ARI speak through. Verifies the CA's TLS against
 * the directory's own `ca` or the system's roots, follows no redirect, uses no proxy, and never sends a request twice
 * that could do something twice.
 */
import type { LookupFunction } from 'node:net';
import { Agent } from 'undici';
import type { Clock } from '../../lib/clock.ts';
import { AcmeFailure } from './contract.ts';
import { failureOf } from './network-failure.ts';
import { isRecord, refusalOf, retryAfterMs, type CaAnswer } from './problem-document.ts';

/** One request with its answer; a CA that has not answered by then does not answer. */
const STEP_MS = 30_000;
/** A chain of certificates has a few kilobytes, and nothing else that a CA says is longer. */
const LONGEST_BODY = 256 * 1024;
/** Between the attempts of what may be asked again. */
const PAUSES_MS = [1_000, 3_000];
const LONGEST_PAUSE_MS = 10_000;

export interface TransportOptions {
  readonly clock: Clock;
  /** PEM; null: the system's roots. */
  readonly ca: string | null;
  /** Ends everything that runs. */
  readonly signal: AbortSignal;
  /** The system's resolver without it. */
  readonly lookup?: LookupFunction | undefined;
  /** Milliseconds for one request; default 30 s. */
  readonly stepMs?: number;
  readonly longestBody?: number;
}

export type Method = 'get' | 'head' | 'post';

export interface Transport {
  /**
   * One request; refusals come back as they are for `badNonce` (RFC 8555 §6.5), which the library answers itself.
   * @throws {AcmeFailure}
   */
  request(url: string, method: Method, options?: { readonly data?: unknown }): Promise<CaAnswer>;
  /** What the last answer wished for, in milliseconds; null: nothing. */
  lastRetryAfterMs(): number | null;
  close(): void;
}

export function createTransport(options: TransportOptions): Transport {
  const { clock, ca, signal, lookup, stepMs = STEP_MS, longestBody = LONGEST_BODY } = options;
  const agent = new Agent({
    connect: { ...(ca === null ? {} : { ca }), ...(lookup === undefined ? {} : { lookup }), timeout: stepMs },
    connections: 4,
    // The one deadline is the step's.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  let wished: number | null = null;

  const once = async (url: URL, method: Method, data: unknown): Promise<CaAnswer> => {
    const what = `${method.toUpperCase()} ${url.origin}${url.pathname}`.slice(0, 200);
    try {
      return await bounded(options, stepMs, what, async (abort) => {
        const response = await agent.request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: method.toUpperCase(),
          signal: abort,
          headers: {
            'user-agent': 'promgate',
            ...(data === undefined ? {} : { 'content-type': 'application/jose+json' }),
          },
          ...(data === undefined ? {} : { body: JSON.stringify(data) }),
        });
        const chunks: Buffer[] = [];
        let length = 0;
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          length += chunk.length;
          if (length > longestBody) throw new AcmeFailure('garbage', `${what} answered more than ${longestBody} bytes`);
          chunks.push(chunk);
        }
        const headers = plainHeaders(response.headers);
        return { status: response.statusCode, headers, data: parseBody(Buffer.concat(chunks), headers, what) };
      });
    } catch (error) {
      throw failureOf(error, what, url.host);
    }
  };

  return {
    async request(address, method, { data } = {}) {
      const url = checkedUrl(address);
      // Without a payload a POST only reads (RFC 8555 §6.3).
      const isRepeatable = method !== 'post' || (isRecord(data) && data['payload'] === '');
      for (let attempt = 0; ; attempt += 1) {
        const pause = isRepeatable ? PAUSES_MS[attempt] : undefined;
        let wait: number;
        try {
          const answer = await once(url, method, data);
          wished = retryAfterMs(answer.headers, clock.now());
          if (answer.status < 500 || pause === undefined) return judged(answer, url, method, clock.now());
          wait = Math.min(Math.max(wished ?? 0, pause), LONGEST_PAUSE_MS);
        } catch (error) {
          if (pause === undefined || !(error instanceof AcmeFailure) || error.kind !== 'unreachable') throw error;
          wait = pause;
        }
        await pauseFor(clock, wait, signal);
      }
    },
    lastRetryAfterMs: () => wished,
    close() {
      agent.destroy().catch(() => undefined);
    },
  };
}

/** Waits; rejects with the signal's reason as soon as it is aborted. */
export async function pauseFor(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = clock.after(
      ms,
      () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      },
      { ref: true },
    );
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Runs until it ends, `ms` are over or the order's signal is aborted, whatever the work itself does about it. */
async function bounded<T>(
  { clock, signal }: Pick<TransportOptions, 'clock' | 'signal'>,
  ms: number,
  what: string,
  work: (abort: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = clock.after(
    ms,
    () => {
      controller.abort(new AcmeFailure('timeout', `${what} was not answered within ${Math.round(ms / 1000)} s`));
    },
    { ref: true },
  );
  try {
    return await new Promise<T>((resolve, reject) => {
      // undici tells nobody about an abort before it has a connection.
      controller.signal.addEventListener('abort', () => {
        reject(controller.signal.reason as Error);
      });
      work(controller.signal).then(resolve, reject);
    });
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}

function judged(answer: CaAnswer, url: URL, method: Method, now: number): CaAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  if (answer.status === 400 && isRecord(answer.data) && answer.data['type'] === 'urn:ietf:params:acme:error:badNonce') {
    return answer;
  }
  const what = `${method.toUpperCase()} ${url.origin}${url.pathname}`.slice(0, 200);
  if (answer.status >= 400) throw refusalOf(answer, what, now);
  throw new AcmeFailure('garbage', `${what} answered ${answer.status}, which ACME does not know`);
}

/** Every address comes from the CA, the directory's excepted. */
function checkedUrl(address: unknown): URL {
  const isUrl = typeof address === 'string' && address.length <= 2_000 && URL.canParse(address);
  const url = isUrl ? new URL(address) : null;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw new AcmeFailure('garbage', 'the CA gave an address that is no https URL');
  }
  return url;
}

function parseBody(body: Buffer, headers: CaAnswer['headers'], what: string): unknown {
  const text = body.toString('utf8');
  if (text === '' || !/[/+]json\b/.test(headers['content-type'] ?? '')) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new AcmeFailure('garbage', `${what} answered something that is not the JSON it claims to be`);
  }
}

function plainHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}
