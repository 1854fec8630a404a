/**
 * The ClientHello of a TLS connection (RFC 8446 §4.1.2), as far as it decides who answers it: server name and ALPN. It
 * is read before any TLS stack sees it, since TLS 1.2 and 1.3 ask for certificate and protocol in different orders.
 * Bounded by the input; never throws.
 */

export interface ClientHello {
  /** Lower case; null: none was sent. */
  readonly serverName: string | null;
  /** In the client's order; empty: none was offered. */
  readonly protocols: readonly string[];
}

/** `incomplete`: read on. `other`: no ClientHello that could be understood; whoever handles TLS will refuse it. */
export type ClientHelloResult =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'other' };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
/** Post-quantum key shares make about 2 KiB; whoever needs more than this is no client of ours. */
const LONGEST = 16_384;
const SERVER_NAME = 0;
const ALPN = 16;

class Cursor {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  /** @throws RangeError beyond the end. */
  number(size: 1 | 2 | 3): number {
    const start = this.#take(size);
    return this.#bytes.readUIntBE(start, size);
  }

  /** What stands behind a length of `size` bytes. */
  block(size: 1 | 2 | 3): Cursor {
    const length = this.number(size);
    const start = this.#take(length);
    return new Cursor(this.#bytes, start, start + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#at, this.#end);
  }

  #take(length: number): number {
    if (length > this.left) throw new RangeError('cut off');
    const start = this.#at;
    this.#at += length;
    return start;
  }
}

/** Reads the first bytes of a connection; a ClientHello may stretch over several records. */
export function readClientHello(bytes: Buffer): ClientHelloResult {
  try {
    const message = handshakeMessage(bytes);
    if (message !== null) return { kind: 'hello', hello: readBody(new Cursor(message)) };
  } catch {
    return { kind: 'other' };
  }
  return bytes.length > LONGEST ? { kind: 'other' } : { kind: 'incomplete' };
}

/** The body of the first handshake message; null when it is not whole. @throws RangeError when it is no ClientHello. */
function handshakeMessage(bytes: Buffer): Buffer | null {
  const fragments: Buffer[] = [];
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== HANDSHAKE_RECORD) throw new RangeError('not a handshake record');
    if (bytes.length < at + 5) return null;
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    if (end === at + 5) throw new RangeError('an empty record');
    const fragment = bytes.subarray(at + 5, end);
    fragments.push(fragment);
    length += fragment.length;
    if (length >= 4) {
      const message = Buffer.concat(fragments);
      if (message[0] !== CLIENT_HELLO) throw new RangeError('not a ClientHello');
      const wanted = 4 + message.readUIntBE(1, 3);
      if (wanted > LONGEST) throw new RangeError('too long');
      if (length >= wanted) return message.subarray(4, wanted);
    }
    at = end;
  }
  return null;
}

function readBody(hello: Cursor): ClientHello {
  hello.skip(2 + 32); // legacy_version, random
  hello.block(1); // legacy_session_id
  hello.block(2); // cipher_suites
  hello.block(1); // legacy_compression_methods
  let serverName: string | null = null;
  let protocols: string[] = [];
  if (hello.left === 0) return { serverName, protocols };
  const extensions = hello.block(2);
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const value = extensions.block(2);
    if (type === SERVER_NAME) serverName = readServerName(value);
    if (type === ALPN) protocols = readProtocols(value);
  }
  return { serverName, protocols };
}

/** RFC 6066 §3: a list with one host name. */
function readServerName(value: Cursor): string | null {
  const list = value.block(2);
  if (list.left === 0 || list.number(1) !== 0) return null;
  return list.block(2).text().toLowerCase();
}

/** RFC 7301 §3.1. */
function readProtocols(value: Cursor): string[] {
  const list = value.block(2);
  const protocols: string[] = [];
  while (list.left > 0) protocols.push(list.block(1).text());
  return protocols;
}
