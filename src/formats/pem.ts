/** PEM (RFC 7468): text → labelled DER blocks. Text around the blocks is ignored, a block that is not whole is a fault. */
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

export interface PemBlock {
  /** `CERTIFICATE`, `X509 CRL`, `PRIVATE KEY`, … */
  readonly label: string;
  readonly der: Buffer;
  /** The block alone, written anew: 64 characters a line, newline at the end. */
  readonly pem: string;
  /** The line of BEGIN, from 1. */
  readonly line: number;
}

const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*$/;
const END = /^-----END ([A-Z0-9 ]{1,64})-----[ \t]*$/;

/** All blocks of a text in order; none is a fine answer, and the caller's to judge. */
export function parsePem(text: string): Parsed<PemBlock[]> {
  const blocks: PemBlock[] = [];
  let open: { label: string; line: number; body: string[] } | null = null;
  for (const [index, content] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = index + 1;
    const begun = BEGIN.exec(content)?.[1];
    const ended = END.exec(content)?.[1];
    if (open === null) {
      if (ended !== undefined) return unparsed(`END ${ended} without its BEGIN`, undefined, line);
      if (begun !== undefined) open = { label: begun, line, body: [] };
      else if (content.startsWith('-----BEGIN ')) return unparsed('a damaged BEGIN line', undefined, line);
    } else if (begun !== undefined) {
      return unparsed(`BEGIN ${begun} before the END of ${open.label}`, undefined, line);
    } else if (ended === undefined) {
      open.body.push(content);
    } else if (ended === open.label) {
      const der = decodeBody(open.body);
      if (!der.ok) return { ...der, line: open.line };
      blocks.push({ label: open.label, der: der.value, pem: toPem(open.label, der.value), line: open.line });
      open = null;
    } else {
      return unparsed(`END ${ended} does not fit BEGIN ${open.label}`, undefined, line);
    }
  }
  if (open !== null) return unparsed(`BEGIN ${open.label} without its END`, 'the file is cut off', open.line);
  return parsed(blocks);
}

function decodeBody(lines: readonly string[]): Parsed<Buffer> {
  if (lines.some((line) => line.includes(':'))) {
    return unparsed('a PEM block with headers, as encrypted keys have them', 'use a file that is not encrypted');
  }
  const text = lines.join('').replace(/[ \t]/g, '');
  const der = Buffer.from(text, 'base64');
  // Buffer.from skips what is not base64: the block must come out as it went in.
  if (der.length === 0 || der.toString('base64') !== text) return unparsed('a PEM block that is not base64');
  return parsed(der);
}

/** One block, as OpenSSL writes it. */
export function toPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** Ends a sentence "no … found": what the file has instead. DER read as text begins with the tag of a SEQUENCE, `0`. */
export function foundInstead(text: string, blocks: readonly PemBlock[]): string {
  const labels = [...new Set(blocks.map(({ label }) => label))];
  if (labels.length > 0) return `, but ${labels.join(', ')}`;
  if (text.trim() === '') return ': the file is empty';
  // eslint-disable-next-line no-control-regex -- a text file has no such characters
  return /^0[^\n]?[\x00-\x08\ufffd]/.test(text) ? ': the file is binary (DER), expected PEM' : '';
}
