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

/**
 * `incomplete`: read on. `sliced`: in more records than any library makes, which is an attack on whoever puts them together.
 * `other`: no ClientHello that could be understood; whoever handles TLS will refuse it.
 */
export type ClientHelloResult =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'sliced' }
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

/** What a whole message may be spread over; libraries write one record, a few at most. */
const MOST_RECORDS = 16;

/** Not a RangeError, which says that it is no ClientHello at all. */
class Sliced extends Error {}

interface Fragment {
  readonly start: number;
  /** Where the record ends, which may not have come yet. */
  readonly end: number;
}

/**
 * Reads the first bytes of a connection as they come. A segment costs no more than its own bytes and a look at sixteen
 * records: a stranger may send every byte alone, in a record of its own. The message is joined and parsed once.
 */
export class ClientHelloReader {
  #bytes = Buffer.allocUnsafe(2048);
  #length = 0;
  readonly #fragments: Fragment[] = [];
  #wanted: number | null = null;

  /** Takes the next bytes; after another result than `incomplete` it is not asked again. */
  add(segment: Buffer): ClientHelloResult {
    this.#append(segment);
    try {
      const message = this.#message();
      if (message !== null) return { kind: 'hello', hello: readBody(new Cursor(message)) };
    } catch (error) {
      return { kind: error instanceof Sliced ? 'sliced' : 'other' };
    }
    return this.#length > LONGEST ? { kind: 'other' } : { kind: 'incomplete' };
  }

  /** Everything that was added. */
  taken(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #append(segment: Buffer): void {
    const length = this.#length + segment.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#bytes.length));
      this.taken().copy(larger);
      this.#bytes = larger;
    }
    segment.copy(this.#bytes, this.#length);
    this.#length = length;
  }

  /** The body of the first handshake message; null when it is not whole. @throws RangeError when it is no ClientHello. */
  #message(): Buffer | null {
    let present = 0;
    let at = 0;
    for (let count = 0; at < this.#length; count++) {
      const record = this.#fragments[count] ?? this.#nextRecord(at);
      if (record === null) return null;
      present += Math.min(record.end, this.#length) - record.start;
      if (present >= 4) {
        const wanted = this.#announced();
        if (present >= wanted) return this.#join(wanted).subarray(4);
      }
      at = record.end;
    }
    return null;
  }

  /** The record that begins there; null while its head is not whole. */
  #nextRecord(at: number): Fragment | null {
    if (this.#fragments.length === MOST_RECORDS) throw new Sliced();
    if (this.#bytes[at] !== HANDSHAKE_RECORD) throw new RangeError('not a handshake record');
    if (this.#length < at + 5) return null;
    const start = at + 5;
    const record = { start, end: start + this.#bytes.readUInt16BE(at + 3) };
    if (record.end === start) throw new RangeError('an empty record');
    this.#fragments.push(record);
    return record;
  }

  /** How long the message is, its head of four bytes included. */
  #announced(): number {
    if (this.#wanted !== null) return this.#wanted;
    const head = this.#join(4);
    if (head[0] !== CLIENT_HELLO) throw new RangeError('not a ClientHello');
    const wanted = 4 + head.readUIntBE(1, 3);
    if (wanted > LONGEST) throw new RangeError('too long');
    this.#wanted = wanted;
    return wanted;
  }

  /** The first bytes of the message, all of which have come. */
  #join(length: number): Buffer {
    const joined = Buffer.allocUnsafe(length);
    let filled = 0;
    for (const { start, end } of this.#fragments) {
      if (filled === length) break;
      filled += this.#bytes.copy(joined, filled, start, Math.min(end, start + length - filled));
    }
    return joined;
  }
}

/** The first bytes of a connection at once; a ClientHello may stretch over several records. */
export function readClientHello(bytes: Buffer): ClientHelloResult {
  return new ClientHelloReader().add(bytes);
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
