/** A client that reads as slowly as a test wants, over HTTP/1.1 or HTTP/2, and tells a whole answer from a cut one. */
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttp1 } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { poll } from '../../../support/poll.ts';
import type { TestGate } from '../gate-fixture.ts';

export type Protocol = 'HTTP/1.1' | 'HTTP/2';
export const PROTOCOLS: readonly Protocol[] = ['HTTP/1.1', 'HTTP/2'];

export interface Reader {
  /** null until the headers have come. */
  readonly status: number | null;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly bytes: number;
  /** What came, unless it was to be discarded. */
  body(): Buffer;
  readonly end: 'open' | 'whole' | 'cut';
  pause(): void;
  resume(): void;
  /** Closes the connection as a client does that has died. */
  leave(): void;
  opened(): Promise<number>;
  /** Waits for the end, and says which it was. */
  ended(): Promise<'whole' | 'cut'>;
}

export interface ReaderOptions {
  readonly protocol?: Protocol;
  /** GET by default. */
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Reads nothing until told to. */
  readonly paused?: boolean;
  /** Only counts what comes. */
  readonly discard?: boolean;
}

export function read(gate: TestGate, path: string, options: ReaderOptions = {}): Reader {
  const { protocol = 'HTTP/1.1', method = 'GET', headers = {}, paused = false, discard = false } = options;
  const chunks: Buffer[] = [];
  let status: number | null = null;
  let received: IncomingHttpHeaders = {};
  let bytes = 0;
  let end: 'open' | 'whole' | 'cut' = 'open';
  let stream: Readable | null = null;
  let isPaused = paused;
  let leave: () => void;
  const failed = (): void => {
    if (end === 'open') end = 'cut';
  };
  const follow = (from: Readable, isWhole: () => boolean): void => {
    stream = from;
    from.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (!discard) chunks.push(chunk);
    });
    from.on('end', () => {
      end = isWhole() ? 'whole' : 'cut';
    });
    from.on('error', failed).on('close', failed).on('aborted', failed);
    if (isPaused) from.pause();
  };
  if (protocol === 'HTTP/1.1') {
    const question = requestHttp1(gate.url + path, { method, headers, agent: false });
    question.on('response', (answer: IncomingMessage) => {
      status = answer.statusCode ?? 0;
      received = answer.headers;
      follow(answer, () => answer.complete);
    });
    question.on('error', failed).end();
    leave = () => question.destroy();
  } else {
    const session = connectHttp2(gate.http2Url);
    session.on('error', failed);
    const question = session.request({ ':method': method, ':path': path, ...headers });
    question.on('response', (answer) => {
      status = Number(answer[':status']);
      received = answer;
      question.on('close', () => {
        session.close();
      });
    });
    follow(question, () => question.rstCode === 0);
    leave = () => {
      session.destroy();
    };
  }
  return {
    get status() {
      return status;
    },
    get headers() {
      return received;
    },
    get bytes() {
      return bytes;
    },
    body: () => Buffer.concat(chunks),
    get end() {
      return end;
    },
    pause() {
      isPaused = true;
      stream?.pause();
    },
    resume() {
      isPaused = false;
      stream?.resume();
    },
    leave,
    opened: () => poll('the headers', () => status),
    ended: () => poll('the end of the answer', () => (end === 'open' ? false : end), { deadlineMs: 15_000 }),
  };
}
