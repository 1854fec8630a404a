/**
 * A strict reader of DER (X.690 §10): definite, shortest lengths, one-byte tags, nothing left over. Bounded by the
 * input; it never guesses. Used for what node:crypto does not hand out: names, SANs and CRLs.
 */

/** What is wrong with the bytes, in words that fit behind "cannot be used:". Never leaves formats/ but by a throw. */
export class DerFault extends Error {
  override readonly name = 'DerFault';
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  /** [0], [1], [2], [3] EXPLICIT. */
  context0: 0xa0,
  context1: 0xa1,
  context2: 0xa2,
  context3: 0xa3,
} as const;

const MULTI_BYTE_TAG = 0x1f;

export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The tag of the next element; -1 at the end. */
  peek(): number {
    return this.#bytes[this.#at] ?? -1;
  }

  /** The content of the next element. @throws DerFault when its tag is another one. */
  read(tag: number): Buffer {
    const { start, end } = this.#next(tag);
    return this.#bytes.subarray(start, end);
  }

  /** The next element with its tag and length: what is hashed and compared. */
  element(tag: number): Buffer {
    const begin = this.#at;
    return this.#bytes.subarray(begin, this.#next(tag).end);
  }

  enter(tag: number): DerReader {
    return new DerReader(this.read(tag));
  }

  /** Passes over the next element and returns its content. */
  skip(): Buffer {
    return this.read(this.peek());
  }

  /** The bytes of an INTEGER: at least one, big-endian, two's complement. */
  integer(): Buffer {
    const bytes = this.read(TAG.integer);
    if (bytes.length === 0) throw new DerFault('an integer without digits');
    return bytes;
  }

  oid(): string {
    return oidText(this.read(TAG.oid));
  }

  /** UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 allows them; milliseconds since the epoch. */
  time(): number {
    const tag = this.peek();
    if (tag !== TAG.utcTime && tag !== TAG.generalizedTime) throw new DerFault('a date is missing');
    const text = this.read(tag).toString('latin1');
    const digits = tag === TAG.utcTime ? `${Number(text.slice(0, 2)) >= 50 ? '19' : '20'}${text}` : text;
    const [, year, month, day, hour, minute, second] = TIME.exec(digits) ?? [];
    if (year === undefined) throw new DerFault('a date in an unknown form');
    const iso = `${year}-${String(month)}-${String(day)}T${String(hour)}:${String(minute)}:${String(second)}.000Z`;
    const time = Date.parse(iso);
    if (Number.isNaN(time) || new Date(time).toISOString() !== iso) throw new DerFault('a date that does not exist');
    return time;
  }

  /** @throws DerFault when something is left. */
  end(): void {
    if (!this.isAtEnd()) throw new DerFault('bytes left over');
  }

  #next(tag: number): { start: number; end: number } {
    if (tag === -1 || this.#bytes[this.#at] !== tag || (tag & 0x1f) === MULTI_BYTE_TAG) {
      throw new DerFault('not the structure that was expected');
    }
    const first = this.#bytes[this.#at + 1] ?? 0x80;
    let start = this.#at + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 4 || start + count > this.#bytes.length) throw new DerFault('a bad length');
      length = this.#bytes.readUIntBE(start, count);
      start += count;
      if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerFault('a length that is not the shortest');
    }
    if (length > this.#bytes.length - start) throw new DerFault('cut off');
    this.#at = start + length;
    return { start, end: this.#at };
  }
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

function oidText(bytes: Buffer): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const [index, byte] of bytes.entries()) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    } else if (index === bytes.length - 1 || arc > 2 ** 40) {
      throw new DerFault('a bad object identifier');
    }
  }
  const [first, ...rest] = arcs;
  if (first === undefined) throw new DerFault('an empty object identifier');
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - 40 * root, ...rest].join('.');
}
