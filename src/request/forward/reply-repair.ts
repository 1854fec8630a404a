/**
 * What comes from one upstream connection, made into HTTP as the strict parser behind it wants it: home-made exporters that
 * Prometheus (Go's net/http), nginx and HAProxy read. Repairs what has one meaning only; everything else passes as it came
 * and is refused there. Pure; what is in order is passed on without a copy.
 */

/** A head or a line of the framing that is longer is not looked at. */
const MOST_HELD_BYTES = 65_536;
const LF = 10;
const CR = 13;

type State =
  /** Nothing to look at: between two answers, or within a body that needs no reading. */
  'pass' | 'head' | 'chunk size' | 'chunk data' | 'chunk end' | 'trailer';

export class ReplyRepair {
  #state: State = 'pass';
  #isHead = false;
  /** Bytes of the current chunk that are still to come. */
  #chunkBytes = 0;
  #began = false;
  /** The beginning of a head or of a line. */
  #held: Buffer | null = null;

  /** Whether a byte has come since the last request went out, the parser's or not. */
  get began(): boolean {
    return this.#began;
  }

  /** A request goes out: what comes next is the head of its answer. */
  begin(method: string): void {
    this.#state = 'head';
    this.#isHead = method === 'HEAD';
    this.#held = null;
    this.#began = false;
  }

  /** @returns the bytes for the parser; the same buffer when nothing had to be done; null: none yet. */
  repair(chunk: Buffer): Buffer | null {
    if (this.#isPassing()) return chunk;
    this.#began = true;
    const input = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = null;
    const output = new Edits(input);
    let at = 0;
    while (at < input.length && !this.#isPassing()) {
      const next = this.#step(input, at, output);
      if (next === null) {
        if (input.length - at <= MOST_HELD_BYTES) {
          this.#held = Buffer.from(input.subarray(at));
          return output.upTo(at);
        }
        this.#state = 'pass';
        break;
      }
      at = next;
    }
    return output.upTo(input.length);
  }

  #isPassing(): boolean {
    return this.#state === 'pass';
  }

  /** Reads one element. @returns where the next one begins; null: it is not whole yet. */
  #step(input: Buffer, at: number, output: Edits): number | null {
    switch (this.#state) {
      case 'head':
        return this.#readHead(input, at, output);
      case 'chunk size':
        return this.#readSize(input, at, output);
      case 'chunk data': {
        const taken = Math.min(this.#chunkBytes, input.length - at);
        this.#chunkBytes -= taken;
        if (this.#chunkBytes === 0) this.#state = 'chunk end';
        return at + taken;
      }
      case 'chunk end': {
        const end = readLineEnd(input, at, output);
        if (end !== null) this.#state = end > at ? 'chunk size' : 'pass';
        return end;
      }
      case 'trailer':
        return this.#readTrailer(input, at, output);
      case 'pass':
        return input.length;
    }
  }

  #readHead(input: Buffer, at: number, output: Edits): number | null {
    const end = endOfHead(input, at);
    if (end === null) return null;
    const text = input.toString('latin1', at, end);
    const head = readOrdinaryHead(text) ?? readHead(text);
    if (head === null) {
      this.#state = 'pass';
      return end;
    }
    // No request of the gate expects an interim answer; 101 ends in an error, as it must.
    if (head.status >= 100 && head.status < 200 && head.status !== 101) {
      output.replace(at, end, '');
      return end;
    }
    if (head.repaired !== null) output.replace(at, end, head.repaired);
    const hasBody = !this.#isHead && head.status !== 204 && head.status !== 304;
    this.#state = hasBody && head.isChunked ? 'chunk size' : 'pass';
    return end;
  }

  /** RFC 9112 §7.1; blanks behind the size, an extension and a bare line feed are read as Go reads them. */
  #readSize(input: Buffer, at: number, output: Edits): number | null {
    const lf = input.indexOf(LF, at);
    if (lf === -1) return null;
    const line = input.toString('latin1', at, lf);
    const digits = /^0*([0-9a-f]{1,13})[ \t]*(?:;.*)?\r?$/i.exec(line)?.[1];
    if (digits === undefined) {
      this.#state = 'pass';
      return lf + 1;
    }
    if (!/^[0-9a-f]+\r$/i.test(line)) output.replace(at, lf + 1, `${digits}\r\n`);
    this.#chunkBytes = Number.parseInt(digits, 16);
    this.#state = this.#chunkBytes === 0 ? 'trailer' : 'chunk data';
    return lf + 1;
  }

  #readTrailer(input: Buffer, at: number, output: Edits): number | null {
    const lf = input.indexOf(LF, at);
    if (lf === -1) return null;
    const hasCr = lf > at && input[lf - 1] === CR;
    if (!hasCr) output.replace(lf, lf + 1, '\r\n');
    if (lf - at === (hasCr ? 1 : 0)) this.#state = 'pass';
    return lf + 1;
  }
}

/** @returns where the line end at this place ends; the place itself: there is none; null: not known yet. */
function readLineEnd(input: Buffer, at: number, output: Edits): number | null {
  if (input[at] === LF) {
    output.replace(at, at + 1, '\r\n');
    return at + 1;
  }
  if (input[at] !== CR) return at;
  if (at + 1 === input.length) return null;
  return input[at + 1] === LF ? at + 2 : at;
}

/** Behind the empty line, whichever line ends there are; null: it has not come. */
function endOfHead(input: Buffer, at: number): number | null {
  for (let lf = input.indexOf(LF, at); lf !== -1; lf = input.indexOf(LF, lf + 1)) {
    const next = input[lf + 1];
    if (next === LF) return lf + 2;
    if (next === CR && input[lf + 2] === LF) return lf + 3;
  }
  return null;
}

interface Head {
  readonly status: number;
  readonly isChunked: boolean;
  /** null: it was in order. */
  readonly repaired: string | null;
}

/** What may want a repair: a bare line feed, a folded line, a name with a blank or none, an interim answer. */
const ODD = /[^\r]\n|\n(?:[ \t:]|[^: \n]* [^:\n]*:)|^HTTP\/1\.[01] [01]/;
const FRAMING = /\n(?:content-length|transfer-encoding):/gi;
const ORDINARY = /^HTTP\/1\.1 (\d{3})/;

/** What nearly every answer has: it is asked of each. null: look closer. */
function readOrdinaryHead(text: string): Head | null {
  const status = ORDINARY.exec(text)?.[1];
  if (status === undefined || ODD.test(text)) return null;
  const framing = text.match(FRAMING);
  if (framing !== null && framing.length > 1) return null;
  const isCoded = framing?.[0].length === '\ntransfer-encoding:'.length;
  const isChunked = isCoded && /\ntransfer-encoding:[ \t]*chunked[ \t]*\r/i.test(text);
  return { status: Number(status), isChunked, repaired: null };
}

/** @returns null for what has no single meaning: the parser is to refuse it. */
function readHead(text: string): Head | null {
  const lines = text.split('\n');
  const status = /^HTTP\/1\.([01]) (\d{3})/.exec(lines[0] ?? '');
  if (status === null) return null;
  let isInOrder = true;
  let isChunked = false;
  let length: string | null = null;
  const kept: string[] = [];
  // The last two are the empty line and what is behind its line feed: nothing.
  for (let index = 0; index < lines.length - 2; index += 1) {
    const line = lines[index] ?? '';
    const plain = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (plain === line) isInOrder = false;
    const first = plain.charCodeAt(0);
    if (index > 0 && (first === 32 || first === 9)) {
      // RFC 9112 §5.2: a folded line.
      kept.push(`${kept.pop() ?? ''} ${plain.trim()}`);
      isInOrder = false;
      continue;
    }
    const colon = plain.indexOf(':');
    // To Go a name with a blank is one that nobody asks for, and one without letters is none.
    if (index > 0 && (colon === 0 || (colon > 0 && plain.lastIndexOf(' ', colon) !== -1))) {
      isInOrder = false;
      continue;
    }
    if (colon === 14 && plain.slice(0, 14).toLowerCase() === 'content-length') {
      const value = plain.slice(15).trim();
      if (length !== null && value !== length) return null;
      if (length === value) {
        isInOrder = false;
        continue;
      }
      length = value;
    } else if (colon === 17 && plain.slice(0, 17).toLowerCase() === 'transfer-encoding') {
      isChunked ||= plain.slice(18).trim().toLowerCase() === 'chunked';
    }
    kept.push(plain);
  }
  if (lines[lines.length - 2] !== '\r') isInOrder = false;
  isChunked &&= status[1] === '1';
  // RFC 9112 §6.3: the coding overrides the length.
  if (isChunked && length !== null) isInOrder = false;
  const repaired = isInOrder
    ? null
    : written(isChunked ? kept.filter((line) => !/^content-length:/i.test(line)) : kept);
  return { status: Number(status[2]), isChunked, repaired };
}

function written(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A buffer of which pieces are replaced. */
class Edits {
  readonly #input: Buffer;
  readonly #parts: Buffer[] = [];
  #from = 0;

  constructor(input: Buffer) {
    this.#input = input;
  }

  replace(start: number, end: number, text: string): void {
    this.#parts.push(this.#input.subarray(this.#from, start), Buffer.from(text, 'latin1'));
    this.#from = end;
  }

  /** Everything before this place; null: nothing. */
  upTo(end: number): Buffer | null {
    const rest = this.#from === 0 && end === this.#input.length ? this.#input : this.#input.subarray(this.#from, end);
    if (this.#parts.length === 0) return rest.length === 0 ? null : rest;
    const joined = Buffer.concat([...this.#parts, rest]);
    return joined.length === 0 ? null : joined;
  }
}
