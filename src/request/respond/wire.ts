/**
 * The last centimetre before the client: one face for the raw response of HTTP/1.1 and of HTTP/2. Knows nothing of
 * refusals or accounting. Only `head` may throw (a header that cannot be sent).
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { constants } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { AnswerHeaders } from '../answer.ts';
import { bodyIsOutstanding, http2StreamOf } from '../message.ts';

export type RawRequest = IncomingMessage | Http2ServerRequest;
export type RawResponse = ServerResponse | Http2ServerResponse;

export interface Wire {
  readonly http2: boolean;
  /** Whether the client can no longer be reached. */
  readonly gone: boolean;
  /** @throws when a name, a value or the status cannot be sent; nothing was sent then. */
  head(status: number, headers: AnswerHeaders, bodyless: boolean): void;
  /** False: wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  onDrain(callback: () => void): void;
  /** Ends the answer; an unread rest of the request body is not waited for. */
  end(): void;
  /** Ends the answer, and on HTTP/1.1 leaves the connection to the client, which hardly reads it, for a while. */
  endHeld(): void;
  /** Makes the client see an error, whatever was sent before. */
  reset(): void;
  /** May call back more than once. */
  onClose(callback: () => void): void;
}

export function createWire(request: RawRequest, response: RawResponse, clock: Clock): Wire {
  const stream = http2StreamOf(request);
  return stream === null
    ? new Http1Wire(request as IncomingMessage, response as ServerResponse, clock)
    : http2Wire(request as Http2ServerRequest, stream, clock);
}

/** How much of an unwanted body is still read, and for how long, once its request is answered. */
const LINGER_BYTES = 1_048_576;
const LINGER_MS = 1000;
/** Send buffers of both hosts are full when an upload is refused. */
const LINGER_BYTES_HTTP1 = 8 * 1_048_576;
/** How long a connection is left to a client that was refused what it would ask for again at once. */
export const LONGEST_HOLD_MS = 30_000;
const DROPPED_OF_HELD = 65_536;

const ignore = (): void => undefined;

/** A class, where a literal would make eight functions for each request. */
class Http1Wire implements Wire {
  readonly http2 = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #clock: Clock;

  constructor(request: IncomingMessage, response: ServerResponse, clock: Clock) {
    this.#request = request;
    this.#response = response;
    this.#clock = clock;
    // A late write to a socket that has gone is no defect of ours.
    response.on('error', ignore);
  }

  get gone(): boolean {
    return this.#response.destroyed || this.#request.socket.destroyed;
  }

  head(status: number, headers: AnswerHeaders): void {
    const response = this.#response;
    response.writeHead(status, headers);
    // With the first chunk in one packet when it comes in the same turn; alone when it does not (server-sent events).
    queueMicrotask(() => {
      if (!response.writableEnded) response.flushHeaders();
    });
  }

  write(chunk: Uint8Array): boolean {
    return this.#response.write(chunk);
  }

  onDrain(callback: () => void): void {
    this.#response.once('drain', callback);
  }

  end(): void {
    if (bodyIsOutstanding(this.#request)) lingerOn(this.#request, this.#clock);
    this.#response.end();
  }

  endHeld(): void {
    if (bodyIsOutstanding(this.#request)) holdOn(this.#request, this.#clock);
    this.#response.end();
  }

  reset(): void {
    const response = this.#response;
    // To HTTP/1.0 the end of the connection is the end of a body: only a reset tells them apart.
    const { socket } = response;
    if (this.#request.httpVersionMinor === 0 && socket !== null) tcpSocketOf(socket).resetAndDestroy();
    // A pipelined answer whose turn has not come: Node 24 forgets that the connection must end with it.
    if (response.socket === null) response.once('socket', (late: Socket) => late.destroy());
    response.destroy();
  }

  onClose(callback: () => void): void {
    this.#response.on('close', callback);
  }
}

/**
 * Node closes the socket behind an answer with `Connection: close`, and unread bytes make the kernel reset it: a client
 * that is still sending its body loses the answer. So it is only half-closed, and what comes is dropped for a moment.
 */
function lingerOn(request: IncomingMessage, clock: Clock): void {
  const { socket } = request;
  let unwanted = 0;
  const closeFlushed = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    socket.end();
    const timer = clock.after(LINGER_MS, () => socket.destroy());
    socket.once('close', () => {
      timer.cancel();
    });
    request.on('data', (chunk: Buffer) => {
      unwanted += chunk.length;
      if (unwanted > LINGER_BYTES_HTTP1) socket.destroy();
    });
    request.on('end', closeFlushed);
    request.resume();
  };
}

/** The client has its answer, told by its length, and was asked to close. It reads the end of a body that is short. */
function holdOn(request: IncomingMessage, clock: Clock): void {
  const { socket } = request;
  const close = socket.destroySoon.bind(socket);
  let dropped = 0;
  let isHeld = false;
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > DROPPED_OF_HELD) socket.pause();
  });
  // Before the answer is flushed, or Node drops what comes without telling how much it was.
  request.resume();
  socket.destroySoon = () => {
    if (isHeld) return;
    isHeld = true;
    if (request.complete) {
      close();
      return;
    }
    // What came together shall not come again together.
    const timer = clock.after(LONGEST_HOLD_MS / 3 + Math.random() * (LONGEST_HOLD_MS / 2), () => socket.destroy());
    socket.once('close', () => {
      timer.cancel();
    });
    request.once('end', close);
  };
}

/** Below TLS when there is TLS: few clients miss its close_notify. Node has no public way down; without one, TLS it is. */
function tcpSocketOf(socket: Socket & { readonly _parent?: Socket | null }): Pick<Socket, 'resetAndDestroy'> {
  if (!('encrypted' in socket)) return socket;
  return socket._parent ?? { resetAndDestroy: () => socket.destroy() };
}

/** What Node does for HTTP/1.1 only: on h2 it sends line breaks and cuts characters to a byte. */
function validate(headers: AnswerHeaders): void {
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    for (const one of [value].flat()) validateHeaderValue(name, one);
  }
}

function http2Wire(request: Http2ServerRequest, stream: ServerHttp2Stream, clock: Clock): Wire {
  stream.on('error', ignore);
  let ended = false;
  return {
    http2: true,
    get gone() {
      return stream.destroyed || stream.closed || stream.aborted;
    },
    head(status, headers, bodyless) {
      validate(headers);
      // Without waitForTrailers, close() below would first end the stream, and a cut answer would look complete. Node's
      // own response object answers the question for trailers with none.
      stream.respond({ ...headers, ':status': status }, { endStream: bodyless, waitForTrailers: !bodyless });
      ended = bodyless;
      if (bodyless) abandonRequestBody(request, stream, clock);
    },
    write: (chunk) => (ended ? true : stream.write(chunk)),
    onDrain: (callback) => stream.once('drain', callback),
    end() {
      if (ended) return;
      ended = true;
      stream.end(() => {
        abandonRequestBody(request, stream, clock);
      });
    },
    // The connection stays in any case.
    endHeld() {
      this.end();
    },
    reset() {
      if (!stream.closed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    },
    onClose(callback) {
      stream.once('close', callback);
      // A stream that was reset closes only when its last bytes have been read, and nobody is going to.
      stream.once('aborted', () => {
        callback();
        request.resume();
      });
    },
  };
}

/**
 * RFC 9113 §8.1: the answer is complete, the rest of the request is not wanted, and RST_STREAM(NO_ERROR) says so. Not at
 * once: a client that reads both in one go takes the reset for the answer (curl 7.88 does), and most bodies are short.
 */
function abandonRequestBody(request: Http2ServerRequest, stream: ServerHttp2Stream, clock: Clock): void {
  if (!bodyIsOutstanding(request)) return;
  let unwanted = 0;
  const reset = (): void => {
    if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  const timer = clock.after(LINGER_MS, reset);
  stream.once('close', () => {
    timer.cancel();
  });
  request.on('data', (chunk: Buffer) => {
    unwanted += chunk.length;
    if (unwanted > LINGER_BYTES) reset();
  });
  request.resume();
}
